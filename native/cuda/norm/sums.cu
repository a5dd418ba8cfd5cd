// dweight and dbias: parts of the rows added up, some columns to a block.

#include "cuda/norm/params.h"
#include "tile/memory.cuh"
#include "tile/warp.cuh"

namespace fovea::norm::cuda {
namespace {

FOVEA_DEVICE uint32_t slot(uint32_t thread) { return tile::shared_base() + 8 * thread; }

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 4) void norm_sums(const SumParams p) {
  const uint32_t thread = tile::thread_index();
  int32_t item = int32_t(p.first_item + tile::block_index());
  const int32_t first_items = p.target[0].heads * p.blocks;
  const int kind = item < first_items ? 0 : 1;
  if (kind == 1) item -= first_items;
  const SumTarget target = kind == 0 ? p.target[0] : p.target[1];
  const int32_t head = item / p.blocks;
  const int32_t column = item % p.blocks * kSumColumns + int32_t(thread) % kSumColumns;
  const int32_t slice = int32_t(thread) / kSumColumns;
  // Those of a head, or of all.
  const int32_t count = target.heads == p.own_heads ? p.parts : p.parts * p.own_heads;
  const float* const from = p.sums + (int64_t{head} * p.parts * 2 + kind) * p.row + column;
  double total = 0;
  FOVEA_UNROLL_BY(4)
  for (int32_t part = slice; part < count && column < p.width; part += kSumSlices) {
    total += double(tile::load_global(from + int64_t{part} * 2 * p.row));
  }
  const uint64_t bits = tile::as_bits(total);
  tile::store_shared_pair(slot(thread), uint32_t(bits), uint32_t(bits >> 32));
  tile::sync_block();
  if (slice > 0 || column >= p.width) return;
  FOVEA_NO_UNROLL
  for (uint32_t other = 1; other < kSumSlices; ++other) {
    uint32_t low, high;
    tile::load_shared_pair(slot(thread + other * kSumColumns), low, high);
    total += tile::as_double(uint64_t{high} << 32 | low);
  }
  float* const to = target.to + head * target.stride + column;
  tile::store_global(to, float(p.adds ? double(tile::load_global(to)) + total : total));
}

}  // namespace

SumKernel* sum_kernel() { return norm_sums; }

}  // namespace fovea::norm::cuda
