// Distance attention: a block for a tile of query rows, which walks the keys that they see.

#include "cuda/distance/scores.cuh"
#include "cuda/pairs/forward.cuh"

namespace fovea::distance::cuda {
namespace {

template <int kRows>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, ForwardTile<kRows>::kBlocks)
void distance_forward(const DistanceParams p) {
  run_forward<Scores<ForwardTile<kRows>>>(p);
}

}  // namespace

DistanceKernel* forward_kernel(int32_t variant) {
  constexpr DistanceKernel* kKernels[] = {
      distance_forward<kForwardRows[0]>, distance_forward<kForwardRows[1]>,
      distance_forward<kForwardRows[2]>, distance_forward<kForwardRows[3]>};
  return kKernels[variant];
}

}  // namespace fovea::distance::cuda
