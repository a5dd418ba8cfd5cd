#include "cpu/attention/kernels.h"

#include "cpu/tier_kernels.h"

namespace fovea::attention::cpu {

FOVEA_TIER_KERNELS

}  // namespace fovea::attention::cpu
