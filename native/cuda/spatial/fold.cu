#include "cuda/spatial/fold.cuh"

namespace fovea::spatial::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 3)
void spatial_fold(const SpatialParams p) { fold<false>(p); }

}  // namespace

SpatialKernel* fold_kernel() { return spatial_fold; }

}  // namespace fovea::spatial::cuda
