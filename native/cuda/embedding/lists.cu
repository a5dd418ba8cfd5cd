// Which tokens the rows of a bucket have, in the order of tokens: a block looks at all indices, its warps each
// at a part of them, once to count and once to write.

#include "cuda/embedding/params.h"
#include "tile/memory.cuh"
#include "tile/warp.cuh"

namespace fovea::embedding::cuda {
namespace {

struct Bucket {
  const BackwardParams& p;
  const TableSums& sums;
  int32_t number, begin, rows;
  int32_t lane, warp;
  int64_t first, last;  // tokens of the warp

  FOVEA_DEVICE Bucket(const BackwardParams& params, const TableSums& table, int32_t bucket)
      : p(params),
        sums(table),
        number(bucket),
        begin(bucket * table.bucket_rows),
        lane(int32_t(tile::thread_index() % tile::kWarp)),
        warp(int32_t(tile::thread_index() / tile::kWarp)) {
    const int64_t left = table.gradient.of.rows - begin;
    rows = left < table.bucket_rows ? int32_t(left) : table.bucket_rows;
    const int64_t tokens = int64_t{p.batch} * p.length;
    const int64_t share = (tokens + kListThreads - 1) / kListThreads * tile::kWarp;
    first = warp * share < tokens ? warp * share : tokens;
    last = first + share < tokens ? first + share : tokens;
  }

  FOVEA_DEVICE void run() const {
    int32_t before = 0, here = 0;
    for_each([&](int32_t, int32_t row) {
      before += is_before(row);
      here += is_here(row);
    });
    before = tile::warp_sum(before);
    here = tile::warp_sum(here);
    const uint32_t shared = tile::shared_base();
    if (lane == 0) {
      tile::store_shared(shared + 8 * uint32_t(warp), uint32_t(before));
      tile::store_shared(shared + 8 * uint32_t(warp) + 4, uint32_t(here));
    }
    tile::sync_block();
    int32_t at = 0, all = 0;
    FOVEA_UNROLL
    for (int w = 0; w < kListWarps; ++w) {
      at += int32_t(tile::load_shared(shared + 8 * uint32_t(w)));
      const auto count = int32_t(tile::load_shared(shared + 8 * uint32_t(w) + 4));
      all += count;
      if (w < warp) at += count;
    }
    if (warp == 0 && lane == 0) {
      tile::store_global(sums.bounds + 2 * number, at);
      tile::store_global(sums.bounds + 2 * number + 1, at + all);
    }
    for_each([&](int32_t token, int32_t row) {
      const uint32_t lanes = tile::ballot(is_here(row));
      if (is_here(row)) {
        const int32_t to = at + tile::count_bits(lanes & ((1u << lane) - 1));
        tile::store_pair(sums.entries + 2 * int64_t{to}, uint32_t(row), uint32_t(token));
      }
      at += tile::count_bits(lanes);
    });
  }

 private:
  // An index that is no row is neither.
  FOVEA_DEVICE bool is_before(int32_t row) const {
    return row >= 0 && row < begin && row != sums.gradient.skipped;
  }
  FOVEA_DEVICE bool is_here(int32_t row) const {
    return row >= begin && row - begin < rows && row != sums.gradient.skipped;
  }

  // Calls body(token, row) for the warp's, whose lanes have neighbours; row is -1 behind the last.
  template <typename Body>
  FOVEA_DEVICE void for_each(Body body) const {
    FOVEA_NO_UNROLL
    for (int64_t base = first; base < last; base += kAhead * tile::kWarp) {
      int32_t row[kAhead];
      FOVEA_UNROLL
      for (int k = 0; k < kAhead; ++k) {
        const int64_t token = base + k * tile::kWarp + lane;
        row[k] = token < last ? index_of(int32_t(token)) : -1;
      }
      FOVEA_UNROLL
      for (int k = 0; k < kAhead; ++k) {
        if (base + k * tile::kWarp >= last) break;
        body(int32_t(base + k * tile::kWarp + lane), row[k]);
      }
    }
  }

  FOVEA_DEVICE int32_t index_of(int32_t token) const {
    const Indices& of = sums.gradient.of;
    const int64_t at = of.stride == p.length
                           ? token
                           : token / p.length * of.stride + token % p.length;
    return tile::load_global(of.at + at);
  }
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kListThreads, 2) void embedding_lists(const BackwardParams p) {
  const auto item = int32_t(p.first_item + tile::block_index());
  const bool first = item < p.table.buckets;
  Bucket(p, first ? p.table : p.positions, first ? item : item - p.table.buckets).run();
}

}  // namespace

BackwardKernel* lists_kernel() { return embedding_lists; }

}  // namespace fovea::embedding::cuda
