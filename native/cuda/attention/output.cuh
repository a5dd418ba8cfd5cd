// From the sums of a block to what the caller gets: lse, out, and the weights themselves.
#pragma once

#include "core/constants.h"
#include "cuda/attention/scores.cuh"
#include "cuda/attention/tiles.h"
#include "cuda/softmax/top_weights.cuh"

namespace fovea::attention::cuda {

// What the sums of a thread's rows come to.
template <int kM>
struct RowResults {
  float factor[kM][2];  // of the weighted sums: out = factor * sums
  float lse[kM][2];     // the logarithm of the sum of all exponentials

  // `softmax` has finished. A row without a visible key has sums of zero. `scale` is what makes a score
  // of it one in natural units. Scores that overflow in units of log2 are masked, as they are on the CPU.
  template <bool kFloat16, bool kScores, typename Slots>
  FOVEA_DEVICE RowResults(const tile::Softmax<kM, kFloat16, kScores, Slots>& softmax, float scale,
                          const AttentionParams& p, const AttentionRows& rows,
                          const ThreadRows& mine) {
    tile::each_row<kM>([&](int i, int h) {
      const uint32_t row = mine.row(i, h);
      float reference = softmax.reference[i][h];
      const bool large = kScores || reference == tile::kNoReference;
      if (large) reference = softmax.reference_score(i, h);
      float sum = softmax.sum[i][h], decay = 1;
      if (large) {  // to the score itself, without the offset
        decay = tile::exp2_approx(-tile::kOffset<kFloat16>);
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
          const float offset = large ? 0 : tile::kOffset<kFloat16>;
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

// Rows of sums on their way to global memory, by way of shared memory: there the fragments of a warp
// become rows, which leave in pieces of 16 bytes, and one code serves every type and alignment. (Stored
// from registers, it took 87 of the 144 KB of the D 128 kernel.)
struct RowsOut {
  void* tensor;
  int32_t dtype;
  int width;  // elements of a row
  bool add;   // to what is there
};

// Nothing multiplies rows on their way.
struct NoGates {
  static constexpr bool kNone = true;
};

// A row of a tensor, if it has it.
struct RowPlace {
  bool exists;
  int64_t offset;  // in elements
};

template <int kPieces>
struct StagedRows {
  uint32_t address;
  static constexpr int kColumns = 8 * kPieces;
  static_assert(kColumns >= 32 && 16 * kColumns * 4 <= kStagedBytes);

  // Of a chunk of four floats. A store of the fragments meets four rows and two chunks of each at a
  // time, which must differ in bank.
  FOVEA_DEVICE uint32_t chunk(uint32_t row, uint32_t index) const {
    return address + row * kColumns * 4 + (index ^ row % 4 * 2) * 16;
  }

  // The part of the warp's sums that is element e of pieces `first` to `first + kPieces`.
  template <int kAll, typename Scaled>
  FOVEA_DEVICE void put(const float (&sums)[kAll][4], int first, Scaled scaled) const {
    const uint32_t lane = tile::thread_index() % tile::kWarp;
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      FOVEA_UNROLL
      for (int j = 0; j < kPieces; ++j) {
        tile::store_shared_pair(chunk(lane / 4 + 8 * h, 2 * j + lane % 4 / 2) + lane % 2 * 8,
                                tile::as_bits(scaled(h, sums[first + j][2 * h])),
                                tile::as_bits(scaled(h, sums[first + j][2 * h + 1])));
      }
    }
  }

  // x *= factor(row, column) for all 16 rows. One at a time: on their way out, eight to a thread, factors made
  // the kernels of D 128 and more spill.
  template <typename Factor>
  FOVEA_DEVICE void multiply(Factor factor) const {
    FOVEA_NO_UNROLL
    for (uint32_t i = tile::thread_index() % tile::kWarp; i < 16 * kColumns; i += tile::kWarp) {
      const uint32_t row = i / kColumns, column = i % kColumns;
      const uint32_t at = chunk(row, column / 4) + column % 4 * 4;
      tile::store_shared(at, tile::as_bits(tile::as_float(tile::load_shared(at)) *
                                           factor(row, int(column))));
    }
  }

  FOVEA_DEVICE float element(uint32_t row, uint32_t column) const {
    return tile::as_float(tile::load_shared(chunk(row, column / 4) + column % 4 * 4));
  }

  // Elements [column, column + 16 / sizeof(Out)) of a row, of which `count` exist.
  template <typename Out>
  FOVEA_DEVICE void take(uint32_t row, uint32_t column, Out* to, int count, bool add) const {
    constexpr int kElements = 16 / int(sizeof(Out));
    if (count >= kElements && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
      uint32_t words[kElements];
      FOVEA_UNROLL
      for (int i = 0; i < kElements / 4; ++i) {
        uint32_t quad[4];
        tile::load_shared_quad(chunk(row, column / 4 + i), quad);
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) words[4 * i + e] = quad[e];
      }
      uint32_t quad[4];
      if (add) {
        tile::load_quad(to, quad);
        FOVEA_UNROLL
        for (int e = 0; e < kElements; ++e) {
          words[e] = tile::as_bits(tile::as_float(words[e]) + tile::element<Out>(quad, e));
        }
      }
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        if constexpr (sizeof(Out) == 4) {
          quad[e] = words[e];
        } else {
          quad[e] = tile::pack<Out>(tile::as_float(words[2 * e]), tile::as_float(words[2 * e + 1]));
        }
      }
      tile::store_quad(to, quad);
    } else {
      FOVEA_NO_UNROLL
      for (int e = 0; e < kElements && e < count; ++e) {
        const uint32_t at = column + e;
        float x = element(row, at);
        if (add) x += tile::widen(tile::load_global(to + e));
        tile::store_rounded(to + e, x);
      }
    }
  }

  // All 16 rows; `width` elements are left of each.
  template <typename Out, typename Place>
  FOVEA_DEVICE void take_rows(Out* tensor, int first_column, int width, bool add,
                              Place place) const {
    constexpr int kElements = 16 / int(sizeof(Out));
    constexpr uint32_t kChunks = kColumns / kElements;
    const uint32_t lane = tile::thread_index() % tile::kWarp, column = lane % kChunks * kElements;
    FOVEA_NO_UNROLL
    for (uint32_t row = lane / kChunks; row < 16; row += tile::kWarp / kChunks) {
      const RowPlace at = place(row);
      if (!at.exists) continue;
      const int from = first_column + int(column);
      take(row, column, tensor + at.offset + from, width - from, add);
    }
  }
};

// The sums of a warp: 16 kM rows, of which place(row) tells where they go; columns from the piece of
// eight `first_piece` on. scaled(i, h, x) is what becomes of sums of a thread's rows 16 i + 8 h +
// lane / 4. `stage` is shared memory of the warp's own. `gates` multiply rows.
template <int kM, int kColumns, typename Scaled, typename Place, typename Gates = NoGates>
FOVEA_DEVICE void store_sums(const RowsOut& out, uint32_t stage,
                             const tile::Fragment<kM, kColumns>& sums, int first_piece, Scaled scaled,
                             Place place, const Gates& gates = {}) {
  constexpr int kPieces = kColumns % 8 == 0 ? 8 : 4;
  static_assert(kColumns % kPieces == 0);
  const StagedRows<kPieces> staged{stage};
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kPieces) {
      tile::sync_warp();  // the last rows have been read
      staged.put(sums[i], first, [&](int h, float x) { return scaled(i, h, x); });
      tile::sync_warp();
      const int first_column = 8 * (first_piece + first);
      if constexpr (!Gates::kNone) {
        if (gates.given) {
          staged.multiply([&](uint32_t row, int column) {
            return gates.of(16 * i + row, first_column + column);
          });
          tile::sync_warp();
        }
      }
      const auto take = [&](auto* tensor) {
        staged.take_rows(tensor, first_column, out.width, out.add,
                         [&](uint32_t row) { return place(16 * i + row); });
      };
      if (out.dtype == FOVEA_FLOAT32) {
        take(static_cast<float*>(out.tensor));
      } else if (out.dtype == FOVEA_FLOAT16) {
        take(static_cast<float16*>(out.tensor));
      } else {
        take(static_cast<bfloat16*>(out.tensor));
      }
    }
  }
}

// The block's rows of a tensor like query or out, which begin at `warp_row` for this warp; padding
// becomes zero, as do rows with a factor of zero where that means that they have nothing: not sums * 0,
// since a weight of zero times an infinite value is NaN.
template <int kM, int kColumns, typename Gates = NoGates>
FOVEA_DEVICE void store_query_rows(const RowsOut& out, const int64_t (&stride)[3], uint32_t stage,
                                   const tile::Fragment<kM, kColumns>& sums, int first_piece,
                                   const float (&factor)[kM][2], bool zero_means_none,
                                   const AttentionParams& p, const AttentionRows& rows,
                                   uint32_t warp_row, const Gates& gates = {}) {
  const ThreadRows mine(warp_row);
  store_sums(
      out, stage, sums, first_piece,
      [&](int i, int h, float x) {
        const bool none = int32_t(mine.row(i, h)) >= rows.count ||
                          (zero_means_none && factor[i][h] == 0);
        return none ? 0.0f : x * factor[i][h];
      },
      [&](uint32_t row) {
        row += warp_row;
        return RowPlace{exists(p, rows, row),
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

template <int kM, int kColumns>
FOVEA_DEVICE void store_weights_tile(const tile::Fragment<kM, kColumns>& weights,
                                     const AttentionParams& p, const AttentionRows& rows,
                                     const ThreadRows& mine, int32_t first_key) {
  tile::each_row<kM>([&](int i, int h) {
    const uint32_t row = mine.row(i, h);
    if (!exists(p, rows, row)) return;
    float* to =
        p.weights + rows.score_offset(p.spec.weights_stride, rows.position(row), rows.head(row));
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      const int32_t key = first_key + tile::fragment_column(j, 0);
      if (key >= p.key_length) continue;
      store_columns(to + key, weights[i][j][2 * h], weights[i][j][2 * h + 1],
                    key + 1 < p.key_length);
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
    constexpr int kPieces = kColumns % 8 == 0 ? 8 : 4;
    const StagedRows<kPieces> staged{stage};
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int first = 0; first < kColumns; first += kPieces) {
        tile::sync_warp();  // the last rows have been read
        staged.put(weights[i], first, [](int, float x) { return x; });
        tile::sync_warp();
        const uint32_t lane = tile::thread_index() % tile::kWarp, row = warp_row + 16 * i + lane;
        if (lane >= 16 || int32_t(row) >= rows.count) continue;
        const TopWeights top(p, rows, row);
        FOVEA_NO_UNROLL
        for (int32_t column = 0; column < 8 * kPieces; ++column) {
          top.add(staged.element(lane, uint32_t(column)), first_key + 8 * first + column);
        }
      }
    }
  }
};

}  // namespace fovea::attention::cuda
