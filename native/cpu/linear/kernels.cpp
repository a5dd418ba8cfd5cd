#include "cpu/linear/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::linear::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::linear::cpu
