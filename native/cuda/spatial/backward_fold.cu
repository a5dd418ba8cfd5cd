#include "cuda/spatial/fold.cuh"

namespace fovea::spatial::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 1)
void spatial_backward_fold(const SpatialParams p) { fold<true>(p); }

}  // namespace

SpatialKernel* backward_fold_kernel() { return spatial_backward_fold; }

}  // namespace fovea::spatial::cuda
