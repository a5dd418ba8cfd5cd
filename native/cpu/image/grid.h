// How the pixels of an image break into pieces of lines.
#pragma once

#include <algorithm>

#include "ops/image_grid.h"

namespace fovea::cpu {

// Calls body(line, column, count) for the pieces of lines that pixels [begin, end) lie in.
template <typename Body>
inline void for_each_piece(const Grid& grid, int64_t begin, int64_t end, Body body) {
  while (begin < end) {
    const int64_t line = begin / grid.length, column = begin % grid.length;
    const int64_t count = std::min(grid.length - column, end - begin);
    body(line, column, count);
    begin += count;
  }
}

}  // namespace fovea::cpu
