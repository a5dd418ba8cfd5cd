#include "cpu/linear/kernels.h"

namespace fovea::linear::cpu {

#define FOVEA_DECLARE(tier, isa) \
  namespace tier {               \
  RunForward run_forward;        \
  RunBackward run_backward;      \
  }
FOVEA_TIERS(FOVEA_DECLARE)

Kernels kernels_of(int isa) {
  switch (isa) {
#define FOVEA_CASE(tier, isa) \
  case isa:                   \
    return {tier::run_forward, tier::run_backward};
    FOVEA_TIERS(FOVEA_CASE)
    default:
      return {};
  }
}

}  // namespace fovea::linear::cpu
