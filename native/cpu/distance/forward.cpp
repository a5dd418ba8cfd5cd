#include "cpu/distance/kernels.h"
#include "cpu/distance/passes.h"
#include "cpu/softmax/items.h"

namespace fovea::distance::cpu {

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  return fovea::cpu::run_row_tiles<Op>(run, call, kernels_of(run.plan.isa).forward);
}

}  // namespace fovea::distance::cpu
