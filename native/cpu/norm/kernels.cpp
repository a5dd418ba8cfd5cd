#include "cpu/norm/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::norm::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::norm::cpu
