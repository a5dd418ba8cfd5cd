#include "cpu/cross_entropy/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::cross_entropy::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::cross_entropy::cpu
