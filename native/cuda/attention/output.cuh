// From the sums of a block to what the caller gets: lse, out, and the weights themselves.
#pragma once

#include "core/constants.h"
#include "cuda/attention/scores.cuh"
#include "cuda/attention/tiles.h"
#include "cuda/softmax/top_weights.cuh"
#include "tile/rows_out.cuh"

namespace fovea::attention::cuda {

// What the sums of a thread's rows come to.
template <int kM>
struct RowResults {
  float factor[kM][2];  // of the weighted sums: out = factor * sums
  float lse[kM][2];     // the logarithm of the sum of all exponentials

  // `softmax` has finished. A row without a visible key has sums of zero. `scale` is what makes a score
  // of it one in natural units. Scores that overflow in units of log2 are masked, as they are on the CPU.
  template <Precision kWeights, bool kScores, typename Slots>
  FOVEA_DEVICE RowResults(const tile::Softmax<kM, kWeights, kScores, Slots>& softmax, float scale,
                          const AttentionParams& p, const AttentionRows& rows,
                          const ThreadRows& mine) {
    tile::each_row<kM>([&](int i, int h) {
      const uint32_t row = mine.row(i, h);
      float reference = softmax.reference[i][h];
      const bool large = kScores || reference == tile::kNoReference;
      if (large) reference = softmax.reference_score(i, h);
      float sum = softmax.sum[i][h], decay = 1;
      if (large) {  // to the score itself, without the offset
        decay = tile::exp2_approx(-tile::kOffset<kWeights>);
        sum *= decay;
      }
      const bool overflows = large && reference * p.softmax_scale == -tile::kInfinity;
      bool none = sum == 0 || (sum > 0 && overflows);  // not where it is NaN
      float top = large ? reference * scale : reference * float(kLn2);
      if (none) top = -tile::kInfinity;
      const bool seen = !none;
      if (p.sinks != nullptr && int32_t(row) < rows.count) {
        // One more key, without a value. Natural units: in those of log2 it may be infinite.
        const float sink = tile::load_global(p.sinks + rows.head(row));
        const float above = (sink - top) * kLog2e;
        if (above > 0) {
          // What the rows are above their reference, apart: as one power of two it would be 0 where a
          // weight of 2^-113 is not.
          const float offset = large ? 0 : tile::kOffset<kWeights>;
          const float share = tile::exp2_approx(offset - above), unit = tile::exp2_approx(-offset);
          decay *= unit * share;
          sum = tile::fused_multiply_add(sum * unit, share, 1.0f);
          top = sink;
        } else if (sink != -tile::kInfinity) {
          sum += tile::exp2_approx(above);
        }
        none = none && sink == -tile::kInfinity;
      }
      lse[i][h] = none ? -tile::kInfinity
                       : tile::fused_multiply_add(tile::log2_approx(sum), float(kLn2), top);
      factor[i][h] = seen ? decay * p.dropout_scale / sum : 0.0f;
    });
  }
};

template <int kM>
FOVEA_DEVICE void store_lse(const RowResults<kM>& results, const AttentionParams& p,
                            const AttentionRows& rows, const ThreadRows& mine) {
  if (p.lse == nullptr || tile::thread_index() % 4 != 0) return;
  tile::each_row<kM>([&](int i, int h) {
    const uint32_t row = mine.row(i, h);
    if (!exists(p, rows, row)) return;
    tile::store_global(p.lse + rows.lse_offset(p, rows.position(row), rows.head(row)),
                       int32_t(row) < rows.count ? results.lse[i][h] : -tile::kInfinity);
  });
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

// The block's rows of a tensor like query or out, which begin at `warp_row` for this warp; padding
// becomes zero, as do rows with a factor of zero where that means that they have nothing: not sums * 0,
// since a weight of zero times an infinite value is NaN.
template <int kM, int kColumns, typename Gates = tile::NoGates>
FOVEA_DEVICE void store_query_rows(const tile::RowsOut& out, const int64_t (&stride)[3],
                                   uint32_t stage, const tile::Fragment<kM, kColumns>& sums,
                                   int first_piece, const float (&factor)[kM][2],
                                   bool zero_means_none, const AttentionParams& p,
                                   const AttentionRows& rows, uint32_t warp_row,
                                   const Gates& gates = {}) {
  const ThreadRows mine(warp_row);
  tile::store_sums(
      out, stage, sums, first_piece,
      [&](int i, int h, float x) {
        const bool none = int32_t(mine.row(i, h)) >= rows.count ||
                          (zero_means_none && factor[i][h] == 0);
        return none ? 0.0f : x * factor[i][h];
      },
      [&](uint32_t row) {
        row += warp_row;
        return tile::RowPlace{exists(p, rows, row),
                              rows.offset(stride, rows.position(row), rows.head(row))};
      },
      gates);
}

// Weights of a tile of keys in place of the scores that would enter the softmax.
template <int kM, int kColumns, typename Softmax>
FOVEA_DEVICE void weigh_tile(tile::Fragment<kM, kColumns>& s, const Softmax& softmax,
                             const RowResults<kM>& results, const AttentionParams& p,
                             const AttentionRows& rows, const ThreadRows& mine) {
  tile::each_row<kM>([&](int i, int h) {
    const bool none = int32_t(mine.row(i, h)) >= rows.count || results.factor[i][h] == 0;
    // Relative to the reference, not to lse: large scores and lse are rounded apart by more than a
    // weight is worth.
    const float share = results.factor[i][h] / p.dropout_scale;
    const float base = softmax.reference_score(i, h);
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      FOVEA_UNROLL
      for (int e = 2 * h; e < 2 * h + 2; ++e) {
        // A masked key weighs nothing even where NaN has reached the row.
        const float x = s[i][j][e];
        s[i][j][e] = none || x == -tile::kInfinity
                         ? 0.0f
                         : tile::exp2_approx(softmax.exponent(x, i, h, base, p.softmax_scale)) *
                               share;
      }
    }
  });
}

// body(i, h, to) for those rows of a thread that are there; `to` is where the weights of one begin.
template <int kM, typename Body>
FOVEA_DEVICE void each_row_of_weights(const AttentionParams& p, const AttentionRows& rows,
                                      const ThreadRows& mine, Body body) {
  tile::each_row<kM>([&](int i, int h) {
    const uint32_t row = mine.row(i, h);
    if (!exists(p, rows, row)) return;
    body(i, h,
         p.weights + rows.score_offset(p.spec.weights_stride, rows.position(row), rows.head(row)));
  });
}

template <int kM, int kColumns>
FOVEA_DEVICE void store_weights_tile(const tile::Fragment<kM, kColumns>& weights,
                                     const AttentionParams& p, const AttentionRows& rows,
                                     const ThreadRows& mine, int32_t first_key) {
  each_row_of_weights<kM>(p, rows, mine, [&](int i, int h, float* to) {
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      const int32_t key = first_key + tile::fragment_column(j, 0);
      if (key >= p.key_length) continue;
      store_columns(to + key, weights[i][j][2 * h], weights[i][j][2 * h + 1],
                    key + 1 < p.key_length);
    }
  });
}

// Zeroes the weights of keys [first, end), of which no row sees any; `first` begins a tile.
template <int kM>
FOVEA_DEVICE void store_no_weights(const AttentionParams& p, const AttentionRows& rows,
                                   const ThreadRows& mine, int32_t first, int32_t end) {
  each_row_of_weights<kM>(p, rows, mine, [&](int, int, float* to) {
    FOVEA_NO_UNROLL
    for (int32_t key = first + tile::fragment_column(0, 0); key < end; key += 8) {
      store_columns(to + key, 0, 0, key + 1 < p.key_length);
    }
  });
}

// The largest weights of the warp's 16 kM rows, from `warp_row` on: half of its threads have one each of
// 16, whose weights come to them through shared memory of the warp's own.
template <int kM>
struct WarpTopWeights {
  const AttentionParams& p;
  const AttentionRows rows;
  uint32_t warp_row, stage;

  FOVEA_DEVICE void clear() const {
    const uint32_t lane = tile::thread_index() % tile::kWarp;
    FOVEA_NO_UNROLL
    for (uint32_t row = warp_row + lane; lane < 16 && row < warp_row + 16 * kM; row += 16) {
      if (exists(p, rows, row)) TopWeights(p, rows, row).clear();
    }
  }

  template <int kColumns>
  FOVEA_DEVICE void add(const tile::Fragment<kM, kColumns>& weights, int32_t first_key) const {
    constexpr int kPieces = kColumns % 8 == 0 ? 8 : 4,
                  kTaken = kPieces < kColumns ? kPieces : kColumns;
    static_assert(kColumns % kTaken == 0);
    const tile::StagedRows<kPieces> staged{stage};
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int first = 0; first < kColumns; first += kTaken) {
        tile::sync_warp();  // the last rows have been read
        staged.put(weights[i], first, [](int, float x) { return x; });
        tile::sync_warp();
        const uint32_t lane = tile::thread_index() % tile::kWarp, row = warp_row + 16 * i + lane;
        if (lane >= 16 || int32_t(row) >= rows.count) continue;
        const TopWeights top(p, rows, row);
        FOVEA_NO_UNROLL
        for (int32_t column = 0; column < 8 * kTaken; ++column) {
          top.add(staged.element(lane, uint32_t(column)), first_key + 8 * first + column);
        }
      }
    }
  }
};

}  // namespace fovea::attention::cuda
