// Products of few query rows, as in decoding: keys and values are read where they lie, once for all rows, where
// packing them would take longer than the products. The same fused multiply-adds in the same order as in
// forward_tile.h: bits do not depend on how many rows a tile has.
#pragma once

#include "cpu/attention/rows.h"
#include "cpu/cache_types.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// More rows are packed for: where both ways take as long.
constexpr int kMostFewRows = 8;

// Calls body with the next number of rows that kernels are compiled for, as a constant.
template <typename Body>
inline void with_few_rows(int rows, Body body) {
  switch (rows) {
    case 1:
      return body(std::integral_constant<int, 1>{});
    case 2:
      return body(std::integral_constant<int, 2>{});
    case 3:
    case 4:
      return body(std::integral_constant<int, 4>{});
    default:
      return body(std::integral_constant<int, 8>{});
  }
}

// Scores of the rows' keys [begin, end), both filled up to vectors: s[key][lane], lanes behind the rows repeat the
// last. `queries` has kLanes rows, transposed.
template <int kRows, typename C>
[[gnu::noinline]] void few_scores(const char* const* keys, const float* queries, int64_t head_dim,
                                  int begin, int end, float* s) {
  for (int j = begin / kLanes * kLanes; j < end; j += kLanes) {
    vfloat sum[kRows] = {};
    int64_t c = 0;
    const auto add = [&](int columns) {
      vfloat square[kLanes];
      load_square<C>(keys + j, c, columns, square);
#pragma GCC unroll 16
      for (int d = 0; d < kLanes; ++d) {
        if (d >= columns) break;
        const float* const q = queries + (c + d) * kLanes;
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) sum[r] = fma(square[d], broadcast(q + r), sum[r]);
      }
    };
    for (; c + kLanes <= head_dim; c += kLanes) add(kLanes);
    if (c < head_dim) add(int(head_dim - c));
    alignas(64) float rows[kRows][kLanes];
    const char* lanes[kLanes];
    for (int r = 0; r < kRows; ++r) store(rows[r], sum[r]);
    for (int lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = reinterpret_cast<const char*>(rows[std::min(lane, kRows - 1)]);
    }
    vfloat square[kLanes];
    load_square<float>(lanes, 0, kLanes, square);
    for (int k = 0; k < kLanes; ++k) store(s + (j + k) * kLanes, square[k]);
  }
}

// out = alpha * out + P V over keys [begin, end), out[row][column], rows `out_row` apart and filled up to vectors;
// weights p[key][lane].
template <int kRows, typename C>
[[gnu::noinline]] void few_accumulate(const char* const* values, int64_t columns, const float* p,
                                      int begin, int end, const float* alpha, float* out,
                                      int64_t out_row) {
  // As many sums as there are registers for, beside values and a weight.
  constexpr int kSums = kLanes == 16 ? 16 : 8, kVectors = kRows >= kSums / 2 ? 2 : kRows == 1 ? 8 : kSums / kRows;
  const auto some = [&](int64_t c, auto vectors, int64_t left) {
    constexpr int kCount = vectors();
    vfloat sum[kRows][kCount] = {};
    for (int j = begin; j < end; ++j) {
      vfloat value[kCount];
#pragma GCC unroll 8
      for (int v = 0; v < kCount; ++v) {
        value[v] = kCount > 1 || left >= kLanes ? load_lanes<C>(values[j], c + v * kLanes)
                                                : load_some_lanes<C>(values[j], c, int(left));
        pin(value[v]);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const vfloat weight = broadcast(p + j * kLanes + r);
#pragma GCC unroll 8
        for (int v = 0; v < kCount; ++v) sum[r][v] = fma(value[v], weight, sum[r][v]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const vfloat decay = splat(alpha[r]);
      for (int v = 0; v < kCount; ++v) {
        float* const o = out + r * out_row + c + v * kLanes;
        store(o, fma(load(o), decay, sum[r][v]));
      }
    }
  };
  int64_t c = 0;
  for (; c + kVectors * kLanes <= columns; c += kVectors * kLanes) {
    some(c, std::integral_constant<int, kVectors>{}, kVectors * kLanes);
  }
  for (; c < columns; c += kLanes) some(c, std::integral_constant<int, 1>{}, columns - c);
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
