#include "cpu/rotary/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::rotary::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::rotary::cpu
