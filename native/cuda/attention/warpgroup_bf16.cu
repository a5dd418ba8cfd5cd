#include "cuda/attention/warpgroup_kernels.h"

namespace fovea::attention::cuda {

WarpgroupKernel* const* warpgroup_kernels_bf16() { return kWarpgroupKernels<Precision::kBfloat16>.data(); }

WarpgroupBackwardKernel* const* warpgroup_keys_kernels_bf16() { return kWarpgroupKeysKernels<Precision::kBfloat16>.data(); }

}  // namespace fovea::attention::cuda
