#include "cpu/embedding/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::embedding::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::embedding::cpu
