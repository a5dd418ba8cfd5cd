#include "cpu/projection/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::projection::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::projection::cpu
