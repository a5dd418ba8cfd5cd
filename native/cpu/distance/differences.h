// The inner loops of distance attention, blocks of a product of matrices as in product.h but of differences:
// columns in the SIMD lanes, rows in registers. A distance is a sum of squared differences, not
// |q|^2 + |k|^2 - 2 <q, k>, which is wrong by some 2^-23 (|q|^2 + |k|^2), however near q and k are; and so
// are its gradients. Each costs two operations of the FMA ports where a product takes one.
#pragma once

#include <algorithm>

#include "cpu/product.h"

namespace fovea::distance::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// So many squares at a time, so that none joins a sum that is much larger.
constexpr int kPart = 64;

// C = or, with `add`, C += sum_d (a_md - b_dn)^2; then times scale[m], if there is one.
template <int kRows, int kVectors>
[[gnu::noinline]] void square_block(const Panel<const float>& a, const Panel<const float>& b,
                                    int depth, bool add, const float* scale,
                                    const Panel<float>& c) {
  const float* x = a.at;
  const float* row = b.at;
  vfloat sum[kRows][kVectors] = {};
  for (int d = 0; d < depth; ++d, ++x, row += b.row) {
    vfloat column[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      column[v] = load(row + v * kLanes);
      pin(column[v]);
    }
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      vfloat element = broadcast(x + r * a.row);
      pin(element);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const vfloat difference = element - column[v];
        sum[r][v] = fma(difference, difference, sum[r][v]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    float* const to = c.at + r * c.row;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* const at = to + v * kLanes;
      const vfloat all = add ? load(at) + sum[r][v] : sum[r][v];
      store(at, scale == nullptr ? all : all * splat(scale[r]));
    }
  }
}

struct Squares {
  using Run = void(const Panel<const float>&, const Panel<const float>&, int depth, bool add,
                   const float* scale, const Panel<float>&);
  template <int kRows, int kVectors>
  static constexpr Run* run = square_block<kRows, kVectors>;
};

// C_mn = scale_m |a_m - b_n|^2, b as columns. Block i of rows needs only the columns in spans[i].
inline void scale_distances(const Panel<const float>& a, const Panel<const float>& b, int rows,
                            int columns, int depth, const float* scale, const Span* spans,
                            const Panel<float>& c) {
  for_each_product(rows, columns, [&](int m, int count, int v, int end) {
    const Span& span = spans[m / kBlockRows];
    v = std::max(v, span.begin / kLanes);
    end = std::min(end, (span.end + kLanes - 1) / kLanes);
    if (v >= end) return;
    const auto block = block_of<Squares, kBlockVectors>(count, end - v);
    for (int d = 0; d < depth; d += kPart) {
      const bool last = d + kPart >= depth;
      block({a.at + m * a.row + d, a.row}, {b.at + d * b.row + v * kLanes, b.row},
            last ? depth - d : kPart, d > 0, last ? scale + m : nullptr,
            {c.at + m * c.row + v * kLanes, c.row});
    }
  });
}

// Vectors of a block that holds its rows of `base` beside their sums.
#if defined(__AVX512F__)
constexpr int kDifferenceVectors = 2;  // 24 + 2 + 1 + 1 of 32 registers
#else
constexpr int kDifferenceVectors = 1;  // 12 + 1 + 1 + 1 of 16
#endif

// C = or, with `add`, C += sum_k a_mk (b_k - base_m).
template <int kRows, int kVectors>
[[gnu::noinline]] void difference_block(const Factor& a, const Panel<const float>& b,
                                        const Panel<const float>& base, int depth, bool add,
                                        const Panel<float>& c) {
  const float* x = a.at;
  const float* row = b.at;
  vfloat from[kRows][kVectors], sum[kRows][kVectors] = {};
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) from[r][v] = load(base.at + r * base.row + v * kLanes);
  }
  for (int k = 0; k < depth; ++k, x += a.depth, row += b.row) {
    vfloat column[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      column[v] = load(row + v * kLanes);
      pin(column[v]);
    }
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      vfloat element = broadcast(x + r * a.row);
      pin(element);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        sum[r][v] = fma(element, column[v] - from[r][v], sum[r][v]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
    float* const to = c.at + r * c.row;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* const at = to + v * kLanes;
      store(at, add ? load(at) + sum[r][v] : sum[r][v]);
    }
  }
}

struct Differences {
  using Run = void(const Factor&, const Panel<const float>&, const Panel<const float>&, int depth,
                   bool add, const Panel<float>&);
  template <int kRows, int kVectors>
  static constexpr Run* run = difference_block<kRows, kVectors>;
};

// As multiply_spans, of differences to the rows of `base`.
inline void add_differences(const Factor& a, const Panel<const float>& b,
                            const Panel<const float>& base, int rows, int columns,
                            const Span* spans, bool add, const Panel<float>& c) {
  for_each_product<kDifferenceVectors>(rows, columns, [&](int m, int count, int v, int end) {
    const Span& span = spans[m / kBlockRows];
    const int depth = std::max(0, span.end - span.begin);
    if (depth == 0 && add) return;
    const int64_t at = v * kLanes;
    block_of<Differences, kDifferenceVectors>(count, end - v)(
        {a.at + m * a.row + span.begin * a.depth, a.row, a.depth},
        {b.at + span.begin * b.row + at, b.row}, {base.at + m * base.row + at, base.row}, depth,
        add, {c.at + m * c.row + at, c.row});
  });
}

}  // namespace fovea::distance::cpu::FOVEA_TIER
