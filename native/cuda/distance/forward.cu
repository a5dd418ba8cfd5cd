// Distance attention: a block for a tile of query rows, which walks the keys that they see.

#include "cuda/distance/fit_scores.cuh"
#include "cuda/pairs/forward.cuh"

namespace fovea::distance::cuda {
namespace {

template <int kRows, template <typename> class Scores>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, ForwardTile<kRows>::kBlocks)
void distance_forward(const DistanceParams p) {
  run_forward<Scores<ForwardTile<kRows>>>(p);
}

}  // namespace

DistanceKernel* forward_kernel(int32_t variant, bool fits) {
  constexpr DistanceKernel* kKernels[][2] = {
      {distance_forward<kForwardRows[0], Scores>, distance_forward<kForwardRows[0], FitScores>},
      {distance_forward<kForwardRows[1], Scores>, distance_forward<kForwardRows[1], FitScores>},
      {distance_forward<kForwardRows[2], Scores>, distance_forward<kForwardRows[2], FitScores>},
      {distance_forward<kForwardRows[3], Scores>, distance_forward<kForwardRows[3], FitScores>}};
  return kKernels[variant][fits];
}

}  // namespace fovea::distance::cuda
