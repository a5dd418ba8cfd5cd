// What strides may be: every element within reach, those of an output apart.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/block.h"

namespace fovea {

struct Dimension {
  int64_t size, stride;
};

inline __int128 magnitude(int64_t stride) { return stride < 0 ? -__int128{stride} : stride; }

// Whether distinct indices reach distinct elements, given the extent of one contiguous row: sorted
// by stride, every dimension must step over all that lies below it.
template <size_t kCount>
inline bool distinct(Dimension (&dimensions)[kCount], int64_t row) {
  for (const Dimension& dimension : dimensions) {
    if (dimension.size == 0) return true;
  }
  std::sort(dimensions, dimensions + kCount,
            [](Dimension a, Dimension b) { return magnitude(a.stride) < magnitude(b.stride); });
  __int128 extent = row;
  for (const Dimension& dimension : dimensions) {
    if (dimension.size == 1) continue;
    const __int128 stride = magnitude(dimension.stride);
    if (stride < extent) return false;
    extent += stride * (dimension.size - 1);
  }
  return true;
}

// The offset of the farthest element must fit an int64 with room to count bytes.
template <size_t kCount>
inline bool reachable(const Dimension (&dimensions)[kCount], int64_t row) {
  __int128 low = 0, high = row;
  for (const Dimension& dimension : dimensions) {
    if (dimension.size <= 1) continue;
    const __int128 step = __int128{dimension.stride} * (dimension.size - 1);
    (step < 0 ? low : high) += step;
  }
  return low > -(__int128{1} << 60) && high < (__int128{1} << 60);
}

// The reason of a refusal goes to `error`.
template <size_t kCount>
inline int32_t check_strides(const char* name, Dimension (&dimensions)[kCount], int64_t row,
                             bool written, char (&error)[FOVEA_ERROR_LENGTH]) {
  if (!reachable(dimensions, row)) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "the strides of %s reach beyond 2^60 elements",
                name);
  }
  if (written && row > 0 && !distinct(dimensions, row)) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "the strides of %s make elements overlap; an output needs distinct elements", name);
  }
  return FOVEA_OK;
}

}  // namespace fovea
