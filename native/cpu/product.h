// The matrix product: C = A B or C += A B, the columns of B and C in the SIMD
// lanes, one element of A broadcast to all of them. A is read along any two strides, so that a
// transposed A needs no copy. Depths are steps of a product, spans along a sum elements.
#pragma once

#include <algorithm>

#include "cpu/pairs.h"

namespace fovea::cpu::FOVEA_TIER {

// Element (m, k) is at[m * row + k * depth].
struct Factor {
  const float* at;
  int64_t row, depth;
};

// Element (m, n) is at[m * row + n], at and row on a boundary of vectors.
template <typename T>
struct Panel {
  T* at;
  int64_t row;
};

struct Span {
  int begin, end;
};

}  // namespace fovea::cpu::FOVEA_TIER

#if defined(FOVEA_TILES)
#include "cpu/tile_product.h"
#else

namespace fovea::cpu::FOVEA_TIER {

// Register blocking: kBlockRows * kBlockVectors accumulators, kBlockVectors columns, one broadcast.
constexpr int kBlockRows = 6;
#if defined(__AVX512F__)
constexpr int kBlockVectors = 4;  // 24 + 4 + 1 of 32 registers
#elif defined(__AVX2__)
constexpr int kBlockVectors = 2;  // 12 + 2 + 1 of 16
#elif defined(__aarch64__)
constexpr int kBlockVectors = 2;  // of two registers: 24 + 4 + 1 of 32
#else
constexpr int kBlockVectors = 1;  // of two registers: 12 + 2 + 2 of 16
#endif

template <int kRows, int kVectors>
[[gnu::noinline]] void multiply_block(const Factor& a, const Panel<const float>& b, int depth,
                                      bool add, const Panel<float>& c) {
  const float* x = a.at;
  const float* row = b.at;
  const int64_t a_row = a.row, a_depth = a.depth, b_row = b.row;
  if (add) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int at = 0; at < kVectors * kLanes; at += 16) {
        __builtin_prefetch(c.at + r * c.row + at, 1);
      }
    }
  }
  vfloat sum[kRows][kVectors] = {};
  for (int k = 0; k < depth; ++k, x += a_depth, row += b_row) {
    vfloat column[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      column[v] = load(row + v * kLanes);
      pin(column[v]);
    }
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      vfloat element = broadcast(x + r * a_row);
      pin(element);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Product::add(element, column[v], sum[r][v]);
    }
  }
  float* to = c.at;
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r, to += c.row) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* at = to + v * kLanes;
      store(at, add ? load(at) + sum[r][v] : sum[r][v]);
    }
  }
}

// A kind of blocks: `Run`, and run<rows, vectors> of that type.
struct Multiply {
  using Run = void(const Factor&, const Panel<const float>&, int depth, bool add,
                   const Panel<float>&);
  template <int kRows, int kVectors>
  static constexpr Run* run = multiply_block<kRows, kVectors>;
};

template <typename Blocks, int kMostVectors, int kRows>
inline typename Blocks::Run* block_of(int vectors) {
  if constexpr (kMostVectors == 4) {
    if (vectors == 4) return Blocks::template run<kRows, 4>;
    if (vectors == 3) return Blocks::template run<kRows, 3>;
  }
  if constexpr (kMostVectors >= 2) {
    if (vectors == 2) return Blocks::template run<kRows, 2>;
  }
  return Blocks::template run<kRows, 1>;
}

// That of 1 to kBlockRows rows and 1 to kMostVectors vectors.
template <typename Blocks, int kMostVectors>
inline typename Blocks::Run* block_of(int rows, int vectors) {
  switch (rows) {
    case 1:
      return block_of<Blocks, kMostVectors, 1>(vectors);
    case 2:
      return block_of<Blocks, kMostVectors, 2>(vectors);
    case 3:
      return block_of<Blocks, kMostVectors, 3>(vectors);
    case 4:
      return block_of<Blocks, kMostVectors, 4>(vectors);
    case 5:
      return block_of<Blocks, kMostVectors, 5>(vectors);
    default:
      return block_of<Blocks, kMostVectors, 6>(vectors);
  }
}

// Calls body(m, rows, v, end) for all blocks of C: rows [m, m + rows), vectors [v, end) of columns.
// All rows meet one panel of B before the next, so that it stays in L1; the panels are as wide as
// each other, because a narrow one cannot hide the latency of its sums.
template <int kMostVectors = kBlockVectors, typename Body>
inline void for_each_product(int rows, int columns, Body body) {
  const int vectors = (columns + kLanes - 1) / kLanes;
  const int panels = (vectors + kMostVectors - 1) / kMostVectors;
  for (int panel = 0; panel < panels; ++panel) {
    const int v = vectors * panel / panels, end = vectors * (panel + 1) / panels;
    for (int m = 0; m < rows; m += kBlockRows) body(m, std::min(kBlockRows, rows - m), v, end);
  }
}

// C = A B or, with `add`, C += A B.
inline void multiply(const Factor& a, const Panel<const float>& b, int rows, int columns, int depth,
                     bool add, const Panel<float>& c) {
  for_each_product(rows, columns, [&](int m, int count, int v, int end) {
    block_of<Multiply, kBlockVectors>(count, end - v)(
        {a.at + m * a.row, a.row, a.depth}, {b.at + v * kLanes, b.row}, depth, add,
        {c.at + m * c.row + v * kLanes, c.row});
  });
}

// C = A B. Block i of rows needs only the columns in spans[i]: what lies outside is left as it was,
// but for what shares a vector with them.
inline void multiply(const Factor& a, const Panel<const float>& b, int rows, int columns, int depth,
                     const Span* spans, const Panel<float>& c) {
  for_each_product(rows, columns, [&](int m, int count, int v, int end) {
    const Span& span = spans[m / kBlockRows];
    v = std::max(v, span.begin / kLanes);
    end = std::min(end, (span.end + kLanes - 1) / kLanes);
    if (v >= end) return;
    block_of<Multiply, kBlockVectors>(count, end - v)({a.at + m * a.row, a.row, a.depth}, {b.at + v * kLanes, b.row}, depth,
                             false, {c.at + m * c.row + v * kLanes, c.row});
  });
}

// C = A B or, with `add`, C += A B. Block i of rows sums over the k in spans[i] alone.
inline void multiply_spans(const Factor& a, const Panel<const float>& b, int rows, int columns,
                           const Span* spans, bool add, const Panel<float>& c) {
  for_each_product(rows, columns, [&](int m, int count, int v, int end) {
    const Span& span = spans[m / kBlockRows];
    const int first = span.begin / Product::kTerms;
    const int depth = std::max(0, (span.end + Product::kTerms - 1) / Product::kTerms - first);
    if (depth == 0 && add) return;
    block_of<Multiply, kBlockVectors>(count, end - v)({a.at + m * a.row + first * a.depth, a.row, a.depth},
                             {b.at + first * b.row + v * kLanes, b.row}, depth, add,
                             {c.at + m * c.row + v * kLanes, c.row});
  });
}

}  // namespace fovea::cpu::FOVEA_TIER

#endif
