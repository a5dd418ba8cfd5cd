// Windows of two dimensions: positions are pixels, row by row, and a query sees those that are near its own
// in both.
#pragma once

#include "core/everywhere.h"
#include "ops/attention/operands.h"

namespace fovea::attention {

// What queries see that lie side by side in one row of the image: the pixels of some rows, in columns
// [left, right] that any of them sees, of which all of them see [inner_left, inner_right]. Empty where an end is
// before its beginning.
struct PixelWindow {
  int64_t width, top, bottom, left, right, inner_left, inner_right;

  // Of the pixels [first, last] of an image row, which may be before the first.
  FOVEA_EVERYWHERE PixelWindow(const Spec& spec, int64_t row, int64_t first, int64_t last)
      : width(spec.image_width),
        top(at_least_0(row - spec.window_rows)),
        bottom(row + spec.window_rows),
        left(at_least_0(first - spec.window_columns)),
        right(within(last + spec.window_columns)),
        inner_left(at_least_0(last - spec.window_columns)),
        inner_right(within(first + spec.window_columns)) {}

  // The row of the pixel at a position.
  static FOVEA_EVERYWHERE int64_t row_of(const Spec& spec, int64_t position) {
    const int64_t width = spec.image_width;
    return position >= 0 ? divide(position, width) : -divide(width - 1 - position, width);
  }

  // The first key from `key` on that any of the queries sees; kNone if there is none.
  static constexpr int64_t kNone = int64_t{1} << 62;
  FOVEA_EVERYWHERE int64_t next(int64_t key) const {
    int64_t row = divide(key, width);
    const int64_t column = key - row * width;
    if (row >= top && row <= bottom && column >= left && column <= right) return key;
    row = row < top ? top : column > left ? row + 1 : row;
    return row > bottom ? kNone : row * width + left;
  }

  // Behind the neighbours of a key that is seen, in its row.
  FOVEA_EVERYWHERE int64_t end(int64_t key) const { return divide(key, width) * width + right + 1; }

  // Whether all of the queries see all keys of [first, last].
  FOVEA_EVERYWHERE bool covers(int64_t first, int64_t last) const {
    const int64_t row = divide(first, width), last_row = divide(last, width);
    if (row < top || last_row > bottom) return false;
    if (inner_left == 0 && inner_right == width - 1) return true;
    return row == last_row && first - row * width >= inner_left && last - row * width <= inner_right;
  }

 private:
  static FOVEA_EVERYWHERE int64_t at_least_0(int64_t n) { return n < 0 ? 0 : n; }
  FOVEA_EVERYWHERE int64_t within(int64_t column) const { return column < width ? column : width - 1; }
  // Positions and widths have 31 bits, in which a GPU divides several times as fast as in 64.
  static FOVEA_EVERYWHERE int64_t divide(int64_t n, int64_t divisor) {
    return uint32_t(n) / uint32_t(divisor);
  }
};

}  // namespace fovea::attention
