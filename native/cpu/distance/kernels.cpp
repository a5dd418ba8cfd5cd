#include "cpu/distance/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::distance::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::distance::cpu
