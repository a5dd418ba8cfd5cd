#include "cpu/activation/kernels.h"

#include "cpu/activation/passes.h"
#include "cpu/tier_kernels.h"

namespace fovea::activation::cpu {

FOVEA_TIER_KERNELS

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  kernels_of(run.plan.isa).forward(run, call);
  return FOVEA_OK;
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  kernels_of(run.plan.isa).backward(run, call);
  return FOVEA_OK;
}

}  // namespace fovea::activation::cpu
