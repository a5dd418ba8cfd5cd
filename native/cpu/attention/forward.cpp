#include "cpu/attention/kernels.h"
#include "cpu/attention/passes.h"
#include "cpu/softmax/items.h"
#include "ops/attention/check_program.h"

namespace fovea::attention::cpu {

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  if (int32_t status = check_program(spec_of(run.plan), operands, call)) return status;
  return fovea::cpu::run_row_tiles<Op>(run, call, kernels_of(run.plan.isa).forward);
}

}  // namespace fovea::attention::cpu
