// From the sums of a block to what the caller gets: lse, out, and the weights themselves.
#pragma once

#include "core/constants.h"
#include "cuda/attention_scores.cuh"

namespace fovea {

// What the sums of a thread's rows come to.
template <int kM>
struct RowResults {
  float factor[kM][2];  // of the weighted sums: out = factor * sums
  float lse2[kM][2];    // log2 of the sum of all exponentials

  // `softmax` has finished. A row without a visible key has sums of zero. Where scores are of any
  // size, those that overflow in units of log2 are masked, as they are on the CPU.
  FOVEA_DEVICE RowResults(const tile::Softmax<kM>& softmax, bool any_size, const AttentionParams& p,
                          const AttentionRows& rows, const ThreadRows& mine) {
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        const uint32_t row = mine.row(i, h);
        float sum = softmax.sum[i][h];
        float zero = softmax.reference(i, h) * p.softmax_scale;
        float decay = 1;
        if (p.sinks != nullptr && int32_t(row) < rows.count) {
          // A sink is one more key, without a value: the sums move to a maximum that includes it.
          const float sink = tile::load_global(p.sinks + rows.head(row)) * kLog2e;
          const float before = softmax.maximum[i][h] == -tile::kInfinity ? -tile::kInfinity : zero;
          const float highest = tile::maximum(before, sink);
          if (highest != -tile::kInfinity) {
            decay = tile::exp2_approx(before - highest);
            sum = tile::fused_multiply_add(sum, decay, tile::exp2_approx(sink - highest));
            zero = highest;
          }
        }
        const bool none = sum == 0 || (any_size && zero == -tile::kInfinity);
        lse2[i][h] = none ? -tile::kInfinity : zero + tile::log2_approx(sum);
        factor[i][h] = none ? 0.0f : decay * p.dropout_scale / sum;
      }
    }
  }
};

// Rows of the block that the tensors have, padding included.
FOVEA_DEVICE bool exists(const AttentionParams& p, const AttentionRows& rows, uint32_t row) {
  return p.packed ? int32_t(row) < rows.count : rows.position(row) < p.query_length;
}

template <int kM>
FOVEA_DEVICE void store_lse(const RowResults<kM>& results, const AttentionParams& p,
                            const AttentionRows& rows, const ThreadRows& mine) {
  if (p.lse == nullptr || tile::thread_index() % 4 != 0) return;
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint32_t row = mine.row(i, h);
      if (!exists(p, rows, row)) continue;
      tile::store_global(
          p.lse + rows.lse_offset(p, rows.position(row), rows.head(row)),
          int32_t(row) < rows.count ? results.lse2[i][h] * float(kLn2) : -tile::kInfinity);
    }
  }
}

// Two neighbouring columns in one store where the address allows it; `pair` is whether both exist.
FOVEA_DEVICE void store_columns(float* to, float x, float y, bool pair) {
  if (pair && reinterpret_cast<uintptr_t>(to) % 8 == 0) {
    tile::store_pair(to, tile::as_bits(x), tile::as_bits(y));
  } else {
    tile::store_global(to, x);
    if (pair) tile::store_global(to + 1, y);
  }
}

template <typename Half>
FOVEA_DEVICE void store_columns(Half* to, float x, float y, bool pair) {
  const uint32_t bits = tile::pack<Half>(x, y);
  if (pair && reinterpret_cast<uintptr_t>(to) % 4 == 0) {
    tile::store_global(reinterpret_cast<uint32_t*>(to), bits);
  } else {
    tile::store_global(to, Half{uint16_t(bits)});
    if (pair) tile::store_global(to + 1, Half{uint16_t(bits >> 16)});
  }
}

// One of a thread's rows, sums times `factor`, in the place of what is there or added to it. A row
// that is not `present` is zero, not sums * 0: a weight of zero times an infinite value is NaN.
template <typename Out, int kColumns>
FOVEA_DEVICE void store_row(Out* to, const float (&sums)[kColumns][4], int h, float factor,
                            bool present, int width, int first_column, bool add) {
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    const int column = key_column(first_column + j, 0);
    if (column >= width) continue;
    const bool pair = column + 1 < width;
    float x = present ? sums[j][2 * h] * factor : 0.0f;
    float y = present ? sums[j][2 * h + 1] * factor : 0.0f;
    if (add) {
      x += tile::widen(tile::load_global(to + column));
      if (pair) y += tile::widen(tile::load_global(to + column + 1));
    }
    store_columns(to + column, x, y, pair);
  }
}

template <int kColumns>
FOVEA_DEVICE void store_row(void* tensor, int32_t dtype, int64_t offset,
                            const float (&sums)[kColumns][4], int h, float factor, bool present,
                            int width, int first_column, bool add = false) {
  if (dtype == FOVEA_FLOAT32) {
    store_row(static_cast<float*>(tensor) + offset, sums, h, factor, present, width, first_column,
              add);
  } else if (dtype == FOVEA_FLOAT16) {
    store_row(static_cast<float16*>(tensor) + offset, sums, h, factor, present, width, first_column,
              add);
  } else {
    store_row(static_cast<bfloat16*>(tensor) + offset, sums, h, factor, present, width,
              first_column, add);
  }
}

// The block's rows of a tensor like query or out; padding becomes zero, as do rows with a factor of
// zero where that means that they have nothing.
template <int kM, int kColumns>
FOVEA_DEVICE void store_query_rows(void* tensor, int32_t dtype, const int64_t (&stride)[3],
                                   int width, const float (&sums)[kM][kColumns][4],
                                   const float (&factor)[kM][2], bool zero_means_none,
                                   const AttentionParams& p, const AttentionRows& rows,
                                   const ThreadRows& mine, int first_column) {
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint32_t row = mine.row(i, h);
      if (!exists(p, rows, row)) continue;
      const bool none = int32_t(row) >= rows.count || (zero_means_none && factor[i][h] == 0);
      store_row(tensor, dtype, rows.offset(stride, rows.position(row), rows.head(row)), sums[i], h,
                factor[i][h], !none, width, first_column);
    }
  }
}

// Weights of one tile of keys from the scores that would enter the softmax; zero where no row sees
// the tile.
template <int kM, int kColumns>
FOVEA_DEVICE void store_weights_tile(const float (&s)[kM][kColumns][4], bool seen,
                                     const tile::Softmax<kM>& softmax,
                                     const RowResults<kM>& results, const AttentionParams& p,
                                     const AttentionRows& rows, const ThreadRows& mine,
                                     int32_t first_key) {
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint32_t row = mine.row(i, h);
      if (!exists(p, rows, row)) continue;
      const bool none = !seen || int32_t(row) >= rows.count || results.factor[i][h] == 0;
      // Relative to the maximum, not to lse: large scores and lse are rounded apart by more than a
      // weight is worth.
      const float reference = softmax.reference(i, h);
      const float share = results.factor[i][h] / p.dropout_scale;
      float* to =
          p.weights + rows.score_offset(p.weights_stride, rows.position(row), rows.head(row));
      const auto weight = [&](float x) {
        // A masked key weighs nothing even where NaN has reached the row.
        return none || x == -tile::kInfinity
                   ? 0.0f
                   : tile::exp2_approx((x - reference) * p.softmax_scale) * share;
      };
      FOVEA_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        const int32_t key = first_key + key_column(j, 0);
        if (key >= p.key_length) continue;
        store_columns(to + key, weight(s[i][j][2 * h]), weight(s[i][j][2 * h + 1]),
                      key + 1 < p.key_length);
      }
    }
  }
}

}  // namespace fovea
