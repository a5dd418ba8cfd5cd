#include "cuda/attention/warpgroup_kernels.h"

namespace fovea::attention::cuda {

WarpgroupKernel* const* warpgroup_kernels_f16() { return kWarpgroupKernels<Precision::kFloat16>.data(); }

WarpgroupBackwardKernel* const* warpgroup_keys_kernels_f16() { return kWarpgroupKeysKernels<Precision::kFloat16>.data(); }

}  // namespace fovea::attention::cuda
