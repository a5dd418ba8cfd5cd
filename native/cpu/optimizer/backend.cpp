// Steps of optimizers as an operation of the CPU.

#include "cpu/backend.h"

#include "cpu/optimizer/plan.h"
#include "cpu/tier.h"

namespace fovea::optimizer::cpu {

#define FOVEA_DECLARE_STEP(tier, isa)                              \
  namespace tier {                                                 \
  void run_items(const backend::Run& run, const fovea_call& call); \
  }
#define FOVEA_STEP_CASE(tier, isa) \
  case isa:                        \
    tier::run_items(run, call);    \
    return FOVEA_OK;

FOVEA_TIERS(FOVEA_DECLARE_STEP)

static int32_t run_step(const backend::Run& run, fovea_call& call) {
  switch (run.plan.isa) {
    FOVEA_TIERS(FOVEA_STEP_CASE)
    default:
      return FOVEA_UNSUPPORTED;
  }
}

}  // namespace fovea::optimizer::cpu

namespace fovea::optimizer {

extern const backend::Kernels kKernels = {
    {cpu::plan_step},
    {cpu::run_step},
    fovea::cpu::prepare,
};

}  // namespace fovea::optimizer
