#include "cuda/attention/warpgroup_kernels.h"

namespace fovea::attention::cuda {

WarpgroupKernel* const* warpgroup_kernels_e4m3() { return kWarpgroupKernels<Precision::kFloat8>.data(); }

}  // namespace fovea::attention::cuda
