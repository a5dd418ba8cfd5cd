// Scores by distance (Dai et al., arXiv 1901.02860) of a tile of rows and a tile of keys: for each warp the product
// of its 16 rows of queries with the keys of the distances that they and the tile's keys have,
//
//   E[row][x] = <q_row + w, r_t>, t = distance of the warp's last row and the tile's first key, less x
//   S[row][key] += E[row][key + 15 - row]
//
// of which each row takes a part that begins one further than that of the row behind it, by way of shared memory.
#pragma once

#include "cuda/attention/cache_values.cuh"
#include "cuda/attention/load.cuh"
#include "ops/attention/distances.h"
#include "tile/products.cuh"

namespace fovea::attention::cuda {

// The rows of a block are of a single head: where its keys and values are.
template <bool kPositions>
FOVEA_DEVICE AttentionRows rows_of_keys(const AttentionParams& p, AttentionRows rows) {
  if constexpr (kPositions) rows.key_head = int32_t(divide(rows.key_head, p.key_group));
  return rows;
}

// A warp's 16 rows of scores by distance, or of gradients, on their way from one place of a fragment to another.
template <int kKeys>
struct StagedScores {
  static constexpr int kColumns = (kKeys + 16) / 8;  // pieces of E
  static constexpr int kRow = staged_scores(kKeys);
  const uint32_t address;  // of all warps'

  template <int kAll>
  FOVEA_DEVICE void put(const tile::Fragment<1, kAll>& f) const {
    tile::sync_warp();  // what was there has been read
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint32_t to = place(h, 0);
      FOVEA_UNROLL
      for (int j = 0; j < kAll; ++j) {
        tile::store_shared_pair(to + 32 * j, tile::as_bits(f[0][j][2 * h]),
                                tile::as_bits(f[0][j][2 * h + 1]));
      }
    }
    tile::sync_warp();
  }

  // To scores by keys, E that was put.
  FOVEA_DEVICE void add_to(tile::Fragment<1, kKeys / 8>& s) const {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint32_t from = place(h, 15 - row(h));
      tile::each_of_row(s, 0, h, [&](float& x, int j, int e) {
        x += tile::as_float(tile::load_shared(from + 4 * uint32_t(8 * j + e % 2)));
      });
    }
  }

  // What was put by keys, by distances.
  FOVEA_DEVICE void take(tile::Fragment<1, kColumns>& e) const {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const int32_t first = int32_t(tile::thread_anew() % 4 * 2) - 15 + int32_t(row(h));
      const uint32_t from = place(h, 0) - 4 * (15 - row(h));
      tile::each_of_row(e, 0, h, [&](float& x, int j, int element) {
        const int32_t column = 8 * j + element % 2, key = first + column;
        x = key >= 0 && key < kKeys ? tile::as_float(tile::load_shared(from + 4 * uint32_t(column)))
                                    : 0.0f;
      });
    }
  }

 private:
  static FOVEA_DEVICE uint32_t row(int h) {
    return tile::thread_anew() % tile::kWarp / 4 + 8 * uint32_t(h);
  }
  // Of a thread's first element in one of its rows, `column` further.
  FOVEA_DEVICE uint32_t place(int h, uint32_t column) const {
    const uint32_t thread = tile::thread_anew();
    return address + (thread / tile::kWarp * 16 + row(h)) * kRow * 4 +
           4 * (thread % 4 * 2 + column);
  }
};

// kWide: rows of queries and keys of distances may have 16 bits where products have floats.
template <Precision kPrecision, int kRows, int kKeys, int kDim, int kThreads, bool kWide = false>
struct PositionTile {
  using Element = typename tile::PrecisionTypes<kPrecision>::Element;
  static constexpr int kDimBytes = kDim * int(sizeof(Element));
  static constexpr int kBandRows = kRows + kKeys;  // one more than there are distances
  static constexpr int kColumns = StagedScores<kKeys>::kColumns;
  using Swizzle = tile::Swizzle<kDimBytes / 16>;

  const AttentionParams& p;
  // In shared memory: rows of queries, with the content bias and with the position bias; keys of distances,
  // the largest first.
  const uint32_t queries, position_queries, band;
  const StagedScores<kKeys> staged;

  FOVEA_DEVICE bool given() const { return p.position_keys != nullptr; }

  // Adds biases to rows of queries that have come to `queries`. Behind it threads must meet.
  FOVEA_DEVICE void add_biases(const AttentionRows& rows) const {
    constexpr int kElements = 16 / int(sizeof(Element));
    const float* const content = bias_of(p.content_bias, p.spec.content_bias_stride[0], rows);
    const float* const position = bias_of(p.position_bias, p.spec.position_bias_stride[0], rows);
    FOVEA_NO_UNROLL
    for (uint32_t n = tile::thread_anew(); n < kRows * Swizzle::kRowBytes / 16; n += kThreads) {
      const uint32_t row = n / (kDimBytes / 16), chunk = n % (kDimBytes / 16);
      const uint32_t at = Swizzle::offset(row, chunk);
      uint32_t words[4];
      tile::load_shared_quad(queries + at, words);
      const int column = int(chunk) * kElements;
      const bool present = int32_t(row) < rows.count;
      if (given()) add_bias(position_queries + at, words, position, column, present);
      if (content != nullptr) add_bias(queries + at, words, content, column, present);
    }
  }

  // Sends for the band of the tile of keys that begins at `first_key`. Distances that no pair has become 0.
  FOVEA_DEVICE void load_band(const AttentionRows& rows, int32_t first_key) const {
    if (!given()) return;
    using Copy = tile::TileCopy<kBandRows, kDim, kThreads, Element>;
    const Distances seen = distances(p.spec, rows.query_length, rows.key_length);
    const int64_t(&stride)[2] = p.spec.position_keys_stride;
    const auto* const keys =
        static_cast<const Element*>(p.position_keys) + rows.first_head * stride[1];
    const int64_t largest = int64_t{rows.position(0)} + kRows - 1 + rows.shift(p) - first_key;
    if constexpr (kWide) {
      if (p.spec.dtype != FOVEA_FLOAT32) {
        return load_wide_rows<kBandRows, kDim, kThreads, Element>(
            band, p.position_keys, p.spec.dtype, p.head_dim, [&](uint32_t row, bool& present) {
              const int64_t distance = largest - row;
              present = distance >= seen.low && distance <= seen.high;
              return rows.first_head * stride[1] +
                     (present ? (p.spec.position_origin + distance) * stride[0] : 0);
            });
      }
    }
    const uint32_t thread = tile::thread_anew(), address = Copy::first_address(band, thread);
    FOVEA_UNROLL
    for (int i = 0; i < Copy::kSteps; ++i) {
      const int64_t distance = largest - int32_t(Copy::first_row(thread)) - i * Copy::kStep;
      const bool present = distance >= seen.low && distance <= seen.high;
      const Element* const from =
          keys + (p.spec.position_origin + distance) * stride[0] + Copy::first_column(thread);
      Copy::copy_row(address + i * Copy::kStep * Swizzle::kRowBytes, present ? from : keys,
                     present ? p.head_dim : 0, p.position_copy.bytes);
    }
  }

  // The warp's part of the band: where its rows meet the tile's keys.
  FOVEA_DEVICE uint32_t warp_band(uint32_t warp_row) const {
    return band + (kRows - 16 - warp_row) * Swizzle::kRowBytes;
  }

  // s += E, of the warp's rows and the tile's keys.
  FOVEA_DEVICE void add_scores(tile::Fragment<1, kKeys / 8>& s, uint32_t warp_row) const {
    if (!given()) return;
    {
      tile::Fragment<1, kColumns> e;
      tile::multiply_rows<kPrecision, kDimBytes>(e, position_queries, warp_row,
                                                 warp_band(warp_row));
      staged.put(e);
    }
    staged.add_to(s);
  }

 private:
  static FOVEA_DEVICE const float* bias_of(const float* bias, int64_t stride,
                                           const AttentionRows& rows) {
    return bias == nullptr ? nullptr : bias + rows.first_head * stride;
  }

  // A chunk and the elements of a bias from `column` on, of a row that may not be there.
  FOVEA_DEVICE void add_bias(uint32_t to, const uint32_t (&words)[4], const float* bias, int column,
                             bool present) const {
    uint32_t sums[4];
    FOVEA_UNROLL
    for (int w = 0; w < 4; ++w) {
      if constexpr (sizeof(Element) == 4) {
        sums[w] =
            tile::as_bits(rounded(tile::as_float(words[w]) + element(bias, column + w, present)));
      } else {
        sums[w] = tile::pack<Element>(
            tile::element<Element>(words, 2 * w) + element(bias, column + 2 * w, present),
            tile::element<Element>(words, 2 * w + 1) + element(bias, column + 2 * w + 1, present));
      }
    }
    tile::store_shared_pair(to, sums[0], sums[1]);
    tile::store_shared_pair(to + 8, sums[2], sums[3]);
  }
  // As factors of the queries' type are, whatever products have.
  FOVEA_DEVICE float rounded(float x) const {
    if constexpr (kWide) {
      if (p.spec.dtype == FOVEA_FLOAT16) {
        return tile::widen(float16{uint16_t(tile::pack<float16>(x, 0))});
      }
      if (p.spec.dtype == FOVEA_BFLOAT16) {
        return tile::widen(bfloat16{uint16_t(tile::pack<bfloat16>(x, 0))});
      }
    }
    return x;
  }
  FOVEA_DEVICE float element(const float* bias, int column, bool present) const {
    return bias != nullptr && present && column < p.head_dim ? tile::load_global(bias + column)
                                                             : 0.0f;
  }
};

}  // namespace fovea::attention::cuda
