// The merge of partial results as an operation of the CPU.

#include "cpu/backend.h"

#include "cpu/merge/plan.h"
#include "cpu/tier.h"

namespace fovea::merge::cpu {

#define FOVEA_DECLARE_MERGE(tier, isa)                             \
  namespace tier {                                                 \
  void run_items(const backend::Run& run, const fovea_call& call); \
  }
#define FOVEA_MERGE_CASE(tier, isa) \
  case isa:                         \
    tier::run_items(run, call);     \
    return FOVEA_OK;

FOVEA_TIERS(FOVEA_DECLARE_MERGE)

static int32_t run_merge(const backend::Run& run, fovea_call& call) {
  switch (run.plan.isa) {
    FOVEA_TIERS(FOVEA_MERGE_CASE)
    default:
      return FOVEA_UNSUPPORTED;
  }
}

}  // namespace fovea::merge::cpu

namespace fovea::merge {

extern const backend::Kernels kKernels = {
    {cpu::plan_merge},
    {cpu::run_merge},
    fovea::cpu::prepare,
};

}  // namespace fovea::merge
