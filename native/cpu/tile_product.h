// The matrix product of product.h by tiles of AMX. Rows of A lie so many floats apart, pairs of them beside each other;
// those of A and of pairs of B are there up to whole tiles, and what lies behind a sum's end is zero in one and a number
// in the other.
#pragma once

#include <algorithm>

#include "cpu/tiles.h"

namespace fovea::cpu::FOVEA_TIER {

constexpr int kBlockRows = kBlockTiles * kTileRows;

// Blocks of which some rows are not C's pass through here.
inline void multiply_last_rows(int rows, int columns, const TileFactor& a, const float* b, int64_t b_row,
                               int64_t steps, bool add, float* c, int64_t c_row) {
  alignas(64) float block[kBlockRows][kBlockRows];
  multiply_tile_block(int(tiles_of(rows)), columns, a, b, b_row, steps, false, block[0], kBlockRows);
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < columns * kLanes; v += kLanes) {
      float* const at = c + r * c_row + v;
      const vfloat x = load(block[r] + v);
      store(at, add ? load(at) + x : x);
    }
  }
}

// Calls body(m, rows, v, vectors) for all blocks of C: `rows` from row m on, so many vectors of columns from v on.
template <typename Body>
inline void for_each_tile_block(int rows, int columns, Body body) {
  const int vectors = (columns + kLanes - 1) / kLanes;
  for (int v = 0; v < vectors; v += kBlockTiles) {
    for (int m = 0; m < rows; m += kBlockRows) {
      body(m, std::min(kBlockRows, rows - m), v, std::min(kBlockTiles, vectors - v));
    }
  }
}

inline void multiply_tile_rows(int rows, int columns, const TileFactor& a, const float* b, int64_t b_row,
                               int64_t steps, bool add, float* c, int64_t c_row) {
  if (rows % kTileRows == 0) {
    multiply_tile_block(rows / kTileRows, columns, a, b, b_row, steps, add, c, c_row);
  } else {
    multiply_last_rows(rows, columns, a, b, b_row, steps, add, c, c_row);
  }
}

// C = A B. Block i of rows needs only the columns in spans[i]: what lies outside is left as it was, but for what shares
// a vector with them.
inline void multiply(const Factor& a, const Panel<const float>& b, int rows, int columns, int depth,
                     const Span* spans, const Panel<float>& c) {
  for_each_tile_block(rows, columns, [&](int m, int count, int v, int vectors) {
    const Span& span = spans[m / kBlockRows];
    const int begin = std::max(v, span.begin / kLanes);
    const int end = std::min(v + vectors, (span.end + kLanes - 1) / kLanes);
    if (begin >= end) return;
    multiply_tile_rows(count, end - begin, rows_of_pairs(a.at + m * a.row, a.row), b.at + begin * kLanes, b.row, tiles_of(depth), false,
                       c.at + m * c.row + begin * kLanes, c.row);
  });
}

// C = A B or, with `add`, C += A B. Block i of rows sums over the k in spans[i] alone, filled up to whole steps.
inline void multiply_spans(const Factor& a, const Panel<const float>& b, int rows, int columns, const Span* spans,
                           bool add, const Panel<float>& c) {
  for_each_tile_block(rows, columns, [&](int m, int count, int v, int vectors) {
    constexpr int kStep = 2 * kTilePairs;
    const Span& span = spans[m / kBlockRows];
    const int first = span.begin / kStep;
    const int steps = std::max(0, (span.end + kStep - 1) / kStep - first);
    if (steps == 0 && add) return;
    multiply_tile_rows(count, vectors, rows_of_pairs(a.at + m * a.row + first * kTilePairs, a.row),
                       b.at + first * kTilePairs * b.row + v * kLanes, b.row, steps, add,
                       c.at + m * c.row + v * kLanes, c.row);
  });
}

}  // namespace fovea::cpu::FOVEA_TIER
