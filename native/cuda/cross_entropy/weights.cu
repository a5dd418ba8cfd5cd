// The sum of the weights of all classes, in double, by one block.

#include "cuda/cross_entropy/params.h"
#include "tile/memory.cuh"
#include "tile/warp.cuh"

namespace fovea::cross_entropy::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 1)
void cross_entropy_weights(const CrossEntropyParams p) {
  const uint32_t thread = tile::thread_index(), shared = tile::shared_base();
  double sum = 0;
  FOVEA_UNROLL_BY(8)
  for (int64_t c = thread; c < p.classes; c += kThreads) {
    sum += double(tile::load_global(p.class_weight + c));
  }
  sum = tile::warp_sum(sum);
  const uint64_t bits = tile::as_bits(sum);
  if (thread % tile::kWarp == 0) {
    tile::store_shared_pair(shared + thread / tile::kWarp * 8, uint32_t(bits), uint32_t(bits >> 32));
  }
  tile::sync_block();
  if (thread > 0) return;
  double total = 0;
  for (uint32_t warp = 0; warp < kWarps; ++warp) {
    uint32_t low, high;
    tile::load_shared_pair(shared + warp * 8, low, high);
    total += tile::as_double(uint64_t{high} << 32 | low);
  }
  tile::store_global(p.weights, float(total));
}

}  // namespace

CrossEntropyKernel* weights_kernel() { return cross_entropy_weights; }

}  // namespace fovea::cross_entropy::cuda
