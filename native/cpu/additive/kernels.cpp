#include "cpu/additive/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::additive::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::additive::cpu
