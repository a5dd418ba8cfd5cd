// How activation on a CPU is cut, and its workspace: what the planner reserves, and the kernels use.
#pragma once

#include <algorithm>

#include "ops/activation/activation.h"

namespace fovea::activation::cpu {

enum Phase {
  kElementPhase,
  kForwardPhases,
  kSumPhase = kForwardPhases,  // sums of parts of the rows, added up
  kBackwardPhases,
};

constexpr int64_t kSumColumns = 256;  // of an item

// Rows [first, end), counted over all sequences, by columns [column, last).
struct Tile {
  int64_t row_tile, first, end, column, last;
};

// Tiles, by sizes and strides alone, so that sums have the same
// bits in any plan.
struct Cut {
  Grid grid;
  int64_t tile_rows, tile_columns, row_tiles, column_tiles;
  int64_t sum_stride;  // floats from the sums of a tile of rows to those of the next

  explicit Cut(const Spec& spec) : grid(grid_of(spec)) {
    const bool sums = spec.pass == FOVEA_BACKWARD && spec.has_dbias;
    // Sums of columns stay near; else what is taken anew for each tile is little beside it.
    constexpr int64_t kElements = 32768, kColumnsOfSums = 4096;
    // Of parts so large a sum in float32 has few terms, and is little beside what it is of.
    constexpr int64_t kParts = 64, kFewestRows = 64, kMostRows = 1024;
    const int64_t rows = grid.rows();
    tile_columns = std::clamp<int64_t>(grid.width, 1, sums ? kColumnsOfSums : kElements);
    tile_rows = sums ? std::clamp((rows + kParts - 1) / kParts, kFewestRows, kMostRows)
                     : std::clamp<int64_t>(kElements / tile_columns, 1, std::max<int64_t>(1, rows));
    row_tiles = (rows + tile_rows - 1) / tile_rows;
    column_tiles = (grid.width + tile_columns - 1) / tile_columns;
    sum_stride = (grid.width + 15) / 16 * 16;
  }

  Tile tile(int64_t item) const {
    const int64_t row_tile = item / column_tiles, first = row_tile * tile_rows;
    const int64_t column = item % column_tiles * tile_columns;
    return {row_tile, first, std::min(first + tile_rows, grid.rows()), column,
            std::min(column + tile_columns, grid.width)};
  }
};

}  // namespace fovea::activation::cpu
