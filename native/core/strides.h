// What strides may be: every element within reach, those of an output apart.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/block.h"
#include "core/operation.h"

namespace fovea {

inline __int128 magnitude(int64_t stride) { return stride < 0 ? -__int128{stride} : stride; }

// Whether distinct indices reach distinct elements: sorted by stride, every dimension must step over all
// that lies below it.
inline bool distinct(const Shape& shape) {
  struct {
    __int128 stride;
    int64_t size;
  } all[kMaxRank] = {};
  for (int i = 0; i < shape.rank; ++i) {
    if (shape.size[i] == 0) return true;
    all[i] = {magnitude(shape.stride[i]), shape.size[i]};
  }
  std::sort(all, all + kMaxRank, [](const auto& a, const auto& b) { return a.stride < b.stride; });
  __int128 extent = 1;
  for (const auto& it : all) {
    if (it.size <= 1) continue;
    if (it.stride < extent) return false;
    extent += it.stride * (it.size - 1);
  }
  return true;
}

// The offset of the farthest element must fit an int64 with room to count bytes. An empty tensor reaches
// nothing, but its strides are held to the same.
inline bool reachable(const Shape& shape) {
  __int128 low = 0, high = 1;
  for (int i = 0; i < shape.rank; ++i) {
    if (shape.size[i] <= 1) continue;
    const __int128 step = __int128{shape.stride[i]} * (shape.size[i] - 1);
    (step < 0 ? low : high) += step;
  }
  return low > -(__int128{1} << 60) && high < (__int128{1} << 60);
}

// The reason of a refusal goes to `error`.
inline int32_t check_strides(const char* name, const Shape& shape, bool written,
                             char (&error)[FOVEA_ERROR_LENGTH]) {
  if (!reachable(shape)) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "the strides of %s reach beyond 2^60 elements",
                name);
  }
  if (written && !distinct(shape)) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "the strides of %s make elements overlap; an output needs distinct elements", name);
  }
  return FOVEA_OK;
}

}  // namespace fovea
