// The matrix product of product.h by tiles of AMX. Rows of A lie so many floats apart, pairs of them beside each other;
// those of A and of pairs of B are there up to whole tiles, and zeros in A outside of a sum's span.
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
    multiply_tile_rows(count, end - begin, rows_of_pairs(a.at + m * a.row, a.row), b.at + begin * kLanes, b.row,
                       tiles_of(depth), false, c.at + m * c.row + begin * kLanes, c.row);
  });
}

// Of a step of 32 elements of a sum, those in `span` of each row of pairs of a second factor; the others are 0, as a
// weight of 0 does not undo a NaN.
class SeenPairs {
 public:
  SeenPairs(const float* from, int64_t row, int step, const Span& span, int vectors) {
    for (int p = 0; p < kTilePairs; ++p) {
      const int k = step * 2 * kTilePairs + 2 * p;
      const bool first = k >= span.begin && k < span.end, second = k + 1 >= span.begin && k + 1 < span.end;
      const vint seen = splat(int32_t((first ? 0xffff : 0) | (second ? 0xffff0000 : 0)));
      for (int v = 0; v < vectors * kLanes; v += kLanes) {
        store(pairs_[p] + v, from_bits(bits(load(from + p * row + v)) & seen));
      }
    }
  }
  const float* at() const { return pairs_[0]; }
  static constexpr int64_t kRow = kBlockTiles * kTileRows;

 private:
  alignas(64) float pairs_[kTilePairs][kRow];
};

// C = A B or, with `add`, C += A B. Block i of rows sums over the k in spans[i] alone.
inline void multiply_spans(const Factor& a, const Panel<const float>& b, int rows, int columns, const Span* spans,
                           bool add, const Panel<float>& c) {
  for_each_tile_block(rows, columns, [&](int m, int count, int v, int vectors) {
    constexpr int kStep = 2 * kTilePairs;
    const Span& span = spans[m / kBlockRows];
    const float* const x = a.at + m * a.row;
    float* const to = c.at + m * c.row + v * kLanes;
    bool adds = add;
    const auto multiply = [&](int step, int steps, const float* y, int64_t row) {
      multiply_tile_rows(count, vectors, rows_of_pairs(x + step * kTilePairs, a.row), y, row, steps, adds, to, c.row);
      adds = true;
    };
    const auto at = [&](int step) { return b.at + step * kTilePairs * b.row + v * kLanes; };
    const auto edge = [&](int step) {
      const SeenPairs seen(at(step), b.row, step, span, vectors);
      multiply(step, 1, seen.at(), SeenPairs::kRow);
    };
    const int first = span.begin / kStep, last = span.end / kStep;  // whole steps lie between
    const bool is_late = span.begin % kStep != 0, is_early = span.end % kStep != 0;
    if (span.begin < span.end) {
      if (is_late) edge(first);
      if (first + is_late < last) multiply(first + is_late, last - first - is_late, at(first + is_late), b.row);
      if (is_early && !(is_late && first == last)) edge(last);
    } else if (!add) {
      multiply(0, 0, at(0), b.row);
    }
  });
}

}  // namespace fovea::cpu::FOVEA_TIER
