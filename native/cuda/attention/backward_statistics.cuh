// The statistics of query rows whose lse, a float32, is too large to carry them: of a row whose every bias
// is -1e9 it has lost the logarithm of the number of keys, and gradients would be that many times too
// large. Such rows get the maximum of their scores and what the logarithm of their sums is above it
// instead, from the same products as the kernels that follow. They are few, and none where masks are
// -infinity: a warp takes 16 of them, operands come straight from global memory.
#pragma once

#include "cuda/attention/backward_rows.cuh"
#include "cuda/attention/load.cuh"
#include "cuda/attention/positions.cuh"
#include "cuda/attention/scores.cuh"
#include "tile/grid.cuh"
#include "tile/products.cuh"

namespace fovea::attention::cuda {

template <Precision kPrecision, bool kPositions>
struct RowStatistics {
  using Element = typename tile::PrecisionTypes<kPrecision>::Element;
  static constexpr int kColumns = 4;  // pieces of eight keys at a time: a draw of mask and bias
  static constexpr int kKeys = 8 * kColumns;
  static constexpr int kStep = 32 / sizeof(Element);  // elements of a row that a step of k takes

  const BackwardParams& b;
  const AttentionParams& p;
  const uint32_t shared_rows;

  FOVEA_DEVICE explicit RowStatistics(const BackwardParams& params)
      : b(params), p(params.forward), shared_rows(tile::shared_base()) {}

  // The rows of one block of backward_rows.
  FOVEA_DEVICE void run() const {
    const AttentionItem at = locate_item(p);
    AttentionRows rows = locate_pair(p, at.batch, at.key_head);
    set_rows(rows, at.tile, uint32_t(b.padding));
    if (rows.count <= 0) return;
    if (tile::thread_index() == 0) store_rows(shared_rows, rows);
    tile::sync_block();
    const int64_t base = workspace_row(b, rows, 0, rows.first_head) + rows.first();
    const uint32_t lane = tile::thread_index() % tile::kWarp;
    for (int32_t row = int32_t(tile::thread_index() / tile::kWarp) * 16; row < rows.count;
         row += kRowWarps * 16) {
      const int32_t mine = row + int32_t(lane % 16);
      const bool large =
          mine < rows.count && is_large_lse(tile::load_global(b.lse2 + base + mine));
      if (tile::any(large)) split(rows, base, row);
    }
  }

 private:
  // Two rows of a thread: the maximum of their scores, and the sum of powers of two relative to it.
  struct Sums {
    float highest[2], sum[2];
  };

  FOVEA_DEVICE void split(const AttentionRows& rows, int64_t base, int32_t row) const {
    const ThreadRows mine{uint32_t(row)};
    const int32_t last = row + 15 < rows.count ? row + 15 : rows.count - 1;
    const int32_t begin = rows.low(p, rows.position(row)), end = rows.high(p, rows.position(last));
    Sums all = {{-tile::kInfinity, -tile::kInfinity}, {0, 0}};
    for (int32_t key = begin / kKeys * kKeys; key < end; key += kKeys) {
      join(all, rows, row, mine, key);
    }
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const float sum = tile::quad_sum(all.sum[h]);
      const uint32_t r = mine.row(0, h);
      if (tile::thread_index() % 4 != 0 || int32_t(r) >= rows.count) continue;
      const float given2 = tile::load_global(b.lse2 + base + r);
      if (!is_large_lse(given2)) continue;
      store(rows, base + r, r, all.highest[h], sum);
    }
  }

  FOVEA_DEVICE void store(const AttentionRows& rows, int64_t at, uint32_t row, float highest,
                          float sum) const {
    const float scale = natural_scale();
    const float lse =
        tile::load_global(p.lse + rows.lse_offset(p, rows.position(row), rows.head(row)));
    float rest = tile::log2_approx(sum);  // above the maximum
    if (p.sinks != nullptr) {
      const float sink = tile::load_global(p.sinks + rows.head(row));
      const float above = (sink - highest * scale) * kLog2e;  // infinite where no key is seen
      const float top = tile::maximum(above, 0.0f);
      rest = top + tile::log2_approx(sum * tile::exp2_approx(-top) + tile::exp2_approx(above - top));
    }
    // An lse that is not that of these keys alone, but for the roundings between, stays as it was given.
    const float apart = tile::fused_multiply_add(rest, float(kLn2), highest * scale - lse);
    if (!(__builtin_fabsf(apart) <= 0x1p-20f * __builtin_fabsf(lse))) return;
    tile::store_global(b.lse2 + at, kSplitLse);
    tile::store_global(b.highest + at, highest);
    tile::store_global(b.rest + at, (rest - kWeightOffset<kPrecision>) / p.softmax_scale);
  }

  // What makes a score one in natural units.
  FOVEA_DEVICE float natural_scale() const { return b.general ? 1.0f : p.spec.scale; }

  FOVEA_DEVICE void join(Sums& all, const AttentionRows& rows, int32_t row, const ThreadRows& mine,
                         int32_t first_key) const {
    tile::Fragment<1, kColumns> s = {};
    multiply_rows(s, rows, row, p.content_bias, p.spec.content_bias_stride[0],
                  row_of_keys(rows, first_key));
    if constexpr (kPositions) {
      if (p.position_keys != nullptr) add_positions(s, rows, row, first_key);
    }
    const RowPlaces places{p, shared_rows, mine, first_key};
    if (b.general) ScoreModifier<RowPlaces>{p, places}.apply(s);
    if (p.is_sparse) hide_gaps(p, places, s);
    mask_scores(p, places, s);
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const float highest = tile::maximum(all.highest[h], tile::row_max(s, 0, h));
      if (highest == -tile::kInfinity) continue;
      float sum = all.sum[h] * tile::exp2_approx((all.highest[h] - highest) * p.softmax_scale);
      tile::each_of_row(s, 0, h, [&](float x, int, int) {
        sum += tile::exp2_approx((x - highest) * p.softmax_scale);
      });
      all.highest[h] = highest;
      all.sum[h] = sum;
    }
  }

  // Where a key's elements are; null for one that is not there.
  FOVEA_DEVICE auto row_of_keys(const AttentionRows& rows, int32_t first_key) const {
    const AttentionRows of = rows_of_keys<kPositions>(p, rows);
    const auto* const key = static_cast<const Element*>(p.key) + of.key_offset(p.spec.key_stride);
    const int32_t length = rows.key_length;
    const int64_t stride = p.spec.key_stride[1];
    return [=](int32_t column) {
      const int32_t k = first_key + column;
      return k < length ? key + k * stride : nullptr;
    };
  }

  // Scores of 16 rows, with a bias unless it is null, and as many columns as s has, bit by bit those of
  // tile::multiply_rows.
  template <int kAll, typename RowOf>
  FOVEA_DEVICE void multiply_rows(tile::Fragment<1, kAll>& s, const AttentionRows& rows,
                                  int32_t row, const float* bias, int64_t bias_stride,
                                  RowOf row_of) const {
    const uint32_t lane = tile::thread_index() % tile::kWarp, g = lane / 4, t = lane % 4;
    const auto* const query = static_cast<const Element*>(p.query);
    if (kPositions && bias != nullptr) bias += rows.first_head * bias_stride;
    tile::sync_warp();
    for (int step = 0; step * kStep < p.head_dim; ++step) {
      tile::Factors<kPrecision, 4> a;
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        const int32_t r = row + int32_t(g) + e % 2 * 8;
        const bool present = r < rows.count;
        const Element* const from =
            present ? query + rows.offset(p.spec.query_stride, rows.position(r), rows.head(r)) : query;
        const int column = step * kStep + e / 2 * (kStep / 2) + int(t) * kWordElements;
        a.value[e] = word(from, column, present);
        if constexpr (kPositions) {
          if (bias != nullptr && present) a.value[e] = biased(a.value[e], bias, column);
        }
      }
      tile::Factors<kPrecision, 2 * kAll> keys;
      FOVEA_UNROLL
      for (int j = 0; j < 2 * kAll; ++j) {
        const Element* const key = row_of(j / 2 * 8 + int32_t(g));
        keys.value[j] =
            word(key, step * kStep + j % 2 * (kStep / 2) + int(t) * kWordElements, key != nullptr);
      }
      a.template prepare<true>();
      keys.template prepare<true>();
      multiply(s, 0, a, keys);
    }
  }

  // The word of a query with its bias, as PositionTile has it.
  FOVEA_DEVICE uint32_t biased(uint32_t word, const float* bias, int column) const {
    const auto of = [&](int d) { return d < p.head_dim ? tile::load_global(bias + d) : 0.0f; };
    if constexpr (sizeof(Element) == 4) {
      return tile::as_bits(tile::as_float(word) + of(column));
    } else {
      const uint32_t words[4] = {word};
      return tile::pack<Element>(tile::element<Element>(words, 0) + of(column),
                                 tile::element<Element>(words, 1) + of(column + 1));
    }
  }

  FOVEA_DEVICE void add_positions(tile::Fragment<1, kColumns>& s, const AttentionRows& rows,
                                  int32_t row, int32_t first_key) const {
    using Staged = StagedScores<kKeys>;
    const Distances seen = distances(p.spec, rows.query_length, rows.key_length);
    const int64_t(&stride)[2] = p.spec.position_keys_stride;
    const auto* const from = static_cast<const Element*>(p.position_keys) +
                             p.spec.position_origin * stride[0] + rows.first_head * stride[1];
    const int64_t largest = int64_t{rows.position(row)} + 15 + rows.shift(p) - first_key;
    tile::Fragment<1, Staged::kColumns> e = {};
    multiply_rows(e, rows, row, p.position_bias, p.spec.position_bias_stride[0],
                  [&](int32_t column) -> const Element* {
                    const int64_t distance = largest - column;
                    const bool there = distance >= seen.low && distance <= seen.high;
                    return there ? from + distance * stride[0] : nullptr;
                  });
    const Staged staged{tile::shared_base() + kAttentionRowsBytes};
    staged.put(e);
    staged.add_to(s);
  }

  static constexpr int kWordElements = 4 / sizeof(Element);

  // The word of a row's elements from `column` on; what the row does not have is zero.
  FOVEA_DEVICE uint32_t word(const Element* row, int column, bool present) const {
    uint32_t bits = 0;
    FOVEA_UNROLL
    for (int e = 0; e < kWordElements; ++e) {
      if (!present || column + e >= p.head_dim) continue;
      const auto* const from =
          reinterpret_cast<const tile::ElementBits<Element>*>(row) + column + e;
      bits |= uint32_t{tile::load_global(from)} << 16 * e;
    }
    return bits;
  }
};

template <Precision kPrecision, bool kPositions>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kRowThreads, 1) void backward_statistics(const BackwardParams b) {
  tile::let_next_kernel_start();
  tile::wait_for_last_kernel();
  RowStatistics<kPrecision, kPositions>(b).run();
}

}  // namespace fovea::attention::cuda
