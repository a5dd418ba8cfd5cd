// Products of few query rows, as in decoding: keys and values are read where they lie, once for all rows, where
// packing them would take longer than the products. The same fused multiply-adds in the same order as in
// forward_tile.h: bits do not depend on how many rows a tile has. Pairs of bfloat16 along a row are what float32 is.
#pragma once

#include "cpu/attention/few_rows_amx.h"
#include "cpu/attention/fetcher.h"
#include "cpu/attention/pack_rows.h"

#if !defined(FOVEA_TILES)

namespace fovea::attention::cpu::FOVEA_TIER {

// More rows are packed for: where both ways take as long.
constexpr int kMostFewRows = 8;
// Keys are filled up to a multiple of so many.
constexpr int kFewKeys = 32;

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

// Lines of the caches that four columns of kLanes rows have, at least one.
template <typename C>
constexpr int kQuadLines = std::max(1, 4 * kLanes * int(sizeof(C)) / kValuesOf<C> / 64);

// Writes scores of kLanes keys, a vector of them for each row, as s[key][lane]: lanes behind the rows repeat some.
template <int kRows>
inline void store_scores(const vfloat (&rows)[kRows], float* s) {
#if defined(__AVX512F__)
  if constexpr (kRows <= 4) {
    __m512i t[4];
    for (int r = 0; r < 4; ++r) t[r] = _mm512_castps_si512(rows[r % kRows]);
    vfloat quads[4];
    transpose_quarters(t, quads);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      store(s + i * kLanes, _mm512_shuffle_f32x4(quads[i], quads[i], 0x00));
      store(s + (4 + i) * kLanes, _mm512_shuffle_f32x4(quads[i], quads[i], 0x55));
      store(s + (8 + i) * kLanes, _mm512_shuffle_f32x4(quads[i], quads[i], 0xaa));
      store(s + (12 + i) * kLanes, _mm512_shuffle_f32x4(quads[i], quads[i], 0xff));
    }
    return;
  }
#endif
  alignas(64) float memory[kRows][kLanes];
  const char* lanes[kLanes];
  for (int r = 0; r < kRows; ++r) store(memory[r], rows[r]);
  for (int lane = 0; lane < kLanes; ++lane)
    lanes[lane] = reinterpret_cast<const char*>(memory[lane % kRows]);
  vfloat square[kLanes];
  load_whole_square<float>(lanes, 0, square);
  for (int k = 0; k < kLanes; ++k) store(s + k * kLanes, square[k]);
}

// Scores s[key][lane] of the rows' keys [begin, end), both filled up to kFewKeys, from so many steps of a product.
// `queries` has kLanes rows, transposed. Of pairs scores are multiplied by `scale`. Raises `maximum` to each row's
// largest. Answers what is left to fetch: an eighth, for softmax_step.
template <int kRows, typename C>
[[gnu::noinline]] Fetcher few_scores(const char* const* keys, Fetcher fetcher, const float* queries, int64_t steps,
                                     [[maybe_unused]] float scale, int begin, int end, float* s, float* maximum) {
  // A sum waits four cycles for each column: those of other keys fill the time.
  constexpr int kSquares = kRows <= (kLanes == 16 ? 4 : 2) ? 2 : 1, kKeys = kSquares * kLanes;
  constexpr int kAtOnce = std::min(kSquares, kReadersAtOnce);
  static_assert(kFewKeys % kKeys == 0);
  vfloat highest[kRows];
  for (int r = 0; r < kRows; ++r) highest[r] = splat(-kInfinity);
  for (int j = begin / kKeys * kKeys; j < end; j += kKeys) {
    vfloat sum[kSquares][kRows] = {};
    int64_t c = 0;
    for (; c + kLanes <= steps; c += kLanes) {
#pragma GCC unroll 2
      for (int n = 0; n < kSquares; n += kAtOnce) {
        ColumnReader<C> readers[kAtOnce];
#pragma GCC unroll 4
        for (int quad = 0; quad < kLanes / 4; ++quad) {
          vfloat column[kAtOnce][4];
#pragma GCC unroll 2
          for (int i = 0; i < kAtOnce; ++i) readers[i].load(keys + j + (n + i) * kLanes, c, quad, column[i]);
          if (quad > 0 || c % (2 * kLanes) == 0) fetcher.template next<kAtOnce * kQuadLines<C>>();
#pragma GCC unroll 4
          for (int d = 0; d < 4; ++d) {
            const float* const q = queries + (c + 4 * quad + d) * kLanes;
#pragma GCC unroll 8
            for (int r = 0; r < kRows; ++r) {
              const vfloat query = broadcast(q + r);
#pragma GCC unroll 2
              for (int i = 0; i < kAtOnce; ++i) sum[n + i][r] = Product::add(column[i][d], query, sum[n + i][r]);
            }
          }
        }
      }
    }
    for (int n = 0; c < steps && n < kSquares; ++n) {
      vfloat square[kLanes];
      load_some_square<C>(keys + j + n * kLanes, c, int(steps - c), square);
      for (int d = 0; d < steps - c; ++d) {
        const float* const q = queries + (c + d) * kLanes;
        for (int r = 0; r < kRows; ++r) sum[n][r] = Product::add(square[d], broadcast(q + r), sum[n][r]);
      }
    }
    for (int n = 0; n < kSquares && kPairs; ++n) {
      for (int r = 0; r < kRows; ++r) sum[n][r] *= scale;
    }
#pragma GCC unroll 2
    for (int n = 0; n < kSquares; ++n) {
      for (int r = 0; r < kRows; ++r) highest[r] = max(highest[r], sum[n][r]);
      store_scores(sum[n], s + (j + n * kLanes) * kLanes);
    }
  }
  float most[kRows];
  for (int r = 0; r < kRows; ++r) {
    most[r] = highest[r][0];
    for (int key = 1; key < kLanes; ++key) most[r] = std::max(most[r], highest[r][key]);
  }
  for (int lane = 0; lane < kLanes; ++lane) maximum[lane] = std::max(maximum[lane], most[lane % kRows]);
  return fetcher;
}

// out = alpha * out + P V over keys [begin, end), out[row][column], rows `out_row` apart and filled up to vectors;
// weights p[key][lane], or of pairs p[key / 2][lane]. Values outside are rows of zeros.
template <int kRows, typename C>
[[gnu::noinline]] void few_accumulate(const char* const* values, Fetcher fetcher, int64_t columns, const float* p,
                                      int begin, int end, const float* alpha, float* out, int64_t out_row) {
  // As many sums as there are registers for, beside values and a weight.
  constexpr int kSums = kLanes == 16 ? 16 : 8, kVectors = kRows >= kSums / 2 ? 2
                                                          : kRows == 1       ? 8
                                                                             : kSums / kRows;
  const auto add = [&](int64_t c, auto vectors, auto load) {
    constexpr int kCount = vectors();
    vfloat sum[kRows][kCount] = {};
    for (int j = begin / Product::kTerms; j * Product::kTerms < end; ++j) {
      // As much as the values are, in rows as long.
      fetcher.template next<std::max(1, kCount * kLanes * Product::kTerms * int(sizeof(C)) / kValuesOf<C> / 64)>();
      vfloat value[kCount];
#pragma GCC unroll 8
      for (int v = 0; v < kCount; ++v) {
        value[v] = load(j, c + v * kLanes);
        pin(value[v]);
      }
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const vfloat weight = broadcast(p + j * kLanes + r);
#pragma GCC unroll 8
        for (int v = 0; v < kCount; ++v) sum[r][v] = Product::add(value[v], weight, sum[r][v]);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const vfloat decay = splat(alpha[r]);
      for (int v = 0; v < kCount; ++v) {
        float* const o = out + r * out_row + c + v * kLanes;
        store(o, fma(fovea::cpu::FOVEA_TIER::load(o), decay, sum[r][v]));
      }
    }
  };
#if defined(__AVX512BF16__)
  const auto whole = [&](int j, int64_t at) { return load_joined(values[2 * j], values[2 * j + 1], at); };
  const auto some = [&](int j, int64_t at) {
    return load_some_joined(values[2 * j], values[2 * j + 1], at, columns - at);
  };
#else
  const auto whole = [&](int j, int64_t at) { return load_lanes<C>(values[j], at); };
  const auto some = [&](int j, int64_t at) { return load_some_lanes<C>(values[j], at, columns - at); };
#endif
  int64_t c = 0;
  for (; c + kVectors * kLanes <= columns; c += kVectors * kLanes) {
    add(c, std::integral_constant<int, kVectors>{}, whole);
  }
  for (; c + kLanes <= columns; c += kLanes) add(c, std::integral_constant<int, 1>{}, whole);
  if (c < columns) add(c, std::integral_constant<int, 1>{}, some);
  fetcher.rest();
}

}  // namespace fovea::attention::cpu::FOVEA_TIER

#endif
