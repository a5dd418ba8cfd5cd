// Rows of queries in the workspace of the backward pass, and sums over a block.
#pragma once

#include "core/constants.h"
#include "cuda/attention/backward_params.h"
#include "cuda/attention/backward_tiles.h"
#include "cuda/attention/params.h"
#include "cuda/softmax/rows.cuh"
#include "tile/convert.cuh"
#include "tile/warp.cuh"

namespace fovea::attention::cuda {

constexpr int kRowWarps = kRowThreads / tile::kWarp;

// In place of an lse in units of log2: of a row that is not there, whose weights are zero; of one that
// sees no key, for which they are too, and whose dout may be NaN; and of one whose statistics are split,
// the difference of which and a score is a score's own.
constexpr float kAbsentLse = 3.40282347e38f, kDeadLse = tile::kInfinity, kSplitLse = -0.0f;

FOVEA_DEVICE bool is_large_lse(float lse2) {
  return __builtin_fabsf(lse2) >= kLargeLse && __builtin_fabsf(lse2) < kAbsentLse;
}
FOVEA_DEVICE bool is_split(float lse2) { return tile::as_bits(lse2) == tile::as_bits(kSplitLse); }

// The workspace's row of a query of a sequence. Rows of a key head lie side by side, those of one
// position together, with `padding` rows and more behind each sequence, so that a tile never meets the next.
// Sequences begin at multiples of kRowAlignment: the copy engine takes facts of rows by 16 bytes.
FOVEA_DEVICE int64_t workspace_row(const BackwardParams& b, const AttentionRows& rows,
                                   int32_t position, int32_t head) {
  const AttentionParams& p = b.forward;
  const int32_t group = int32_t(p.group.value);
  const int64_t start = p.spec.packed ? int64_t{rows.query_start} : int64_t{rows.batch} * p.query_length;
  const int64_t first = start * group + int64_t{rows.batch} * (b.padding + kRowAlignment);
  return rows.key_head * b.head_rows + (first & -int64_t{kRowAlignment}) + int64_t{position} * group +
         (head - rows.key_head * group);
}

// Products of float16 take weights times 2^15, of which float16 holds all but 2^-40 of one; every lse is
// that much less.
constexpr float kFloat16WeightOffset = 15;
template <Precision kPrecision>
constexpr float kWeightOffset = kPrecision == Precision::kFloat16 ? kFloat16WeightOffset : 0;

// The weight of a score, times 2^kMost. It is never above that, but where a bias makes scores large they and lse are
// rounded apart by more than exp2 takes: a row whose every bias is -1e10 had gradients of NaN.
template <bool kGeneral, int kMost>
FOVEA_DEVICE float weight_of(float score, float softmax_scale, float lse2) {
  const float x = tile::fused_multiply_add(score, softmax_scale, -lse2);
  return tile::exp2_approx(kGeneral ? tile::minimum_or_nan(x, float(kMost)) : x);
}

// The sum of `value` over the block, in a fixed order, for thread 0; `shared` has a word for each warp.
FOVEA_DEVICE float block_sum(float value, uint32_t shared, int warps) {
  const uint32_t warp = tile::thread_index() / tile::kWarp;
  value = tile::warp_sum(value);
  tile::sync_block();  // whoever read these words before has done so
  if (tile::thread_index() % tile::kWarp == 0) {
    tile::store_shared(shared + 4 * warp, tile::as_bits(value));
  }
  tile::sync_block();
  if (tile::thread_index() != 0) return 0;
  float sum = 0;
  for (int i = 0; i < warps; ++i) sum += tile::as_float(tile::load_shared(shared + 4 * i));
  return sum;
}

}  // namespace fovea::attention::cuda
