#include "cpu/rotary/kernels.h"

namespace fovea::rotary::cpu {

#define FOVEA_DECLARE_KERNEL(tier, isa) \
  namespace tier {                      \
  TurnTile turn_tile;                   \
  }
#define FOVEA_KERNEL_CASE(tier, isa) \
  case isa:                          \
    return tier::turn_tile;

FOVEA_TIERS(FOVEA_DECLARE_KERNEL)

TurnTile* kernel_of(int isa) {
  switch (isa) {
    FOVEA_TIERS(FOVEA_KERNEL_CASE)
    default:
      return nullptr;
  }
}

}  // namespace fovea::rotary::cpu
