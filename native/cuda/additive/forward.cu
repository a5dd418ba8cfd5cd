// Additive attention: a block for a tile of query rows, which walks the keys that they see.

#include "cuda/additive/scores.cuh"
#include "cuda/pairs/forward.cuh"

namespace fovea::additive::cuda {
namespace {

template <int kRows>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, ForwardTile<kRows>::kBlocks)
void additive_forward(const AdditiveParams p) {
  run_forward<Scores<ForwardTile<kRows>>>(p);
}

}  // namespace

AdditiveKernel* forward_kernel(int32_t variant) {
  constexpr AdditiveKernel* kKernels[] = {
      additive_forward<kForwardRows[0]>, additive_forward<kForwardRows[1]>,
      additive_forward<kForwardRows[2]>, additive_forward<kForwardRows[3]>};
  return kKernels[variant];
}

}  // namespace fovea::additive::cuda
