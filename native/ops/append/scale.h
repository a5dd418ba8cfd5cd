// Scales of quantized rows, once for all backends: fovea.h says what they are.
#pragma once

#include "core/everywhere.h"

namespace fovea::append {

#ifdef __CUDACC__
#define FOVEA_SCALE FOVEA_EVERYWHERE inline
#else
#define FOVEA_SCALE [[gnu::always_inline]] inline  // tiers share no function
#endif

constexpr float kLeastScale = 0x1p-126f;  // the least normal number: 1 / scale is one, too

// Of a row: `largest` has the bits of its largest magnitude, which are in the order of magnitudes, with infinity and
// then NaN behind all numbers.
FOVEA_SCALE float scale_of_row(int32_t largest, float most) {
  if (largest == 0) return 0;
  if (largest >= 0x7f800000) return __builtin_bit_cast(float, 0x7fc00000);
  const float scale = __builtin_bit_cast(float, largest) / most;
  return scale > kLeastScale ? scale : kLeastScale;
}

// Of all rows of a page.
FOVEA_SCALE float scale_of_page(int32_t largest, float most) {
  const float scale = scale_of_row(largest, most);
  if (!(scale == scale)) return scale;
  return __builtin_bit_cast(float, (__builtin_bit_cast(int32_t, scale) + 0x7fffff) & 0x7f800000);
}

// Of a page whose earlier rows have another.
FOVEA_SCALE float larger_scale(float earlier, float needed) {
  if (!(earlier == earlier)) return earlier;
  return earlier > needed ? earlier : needed;
}

FOVEA_SCALE float inverse_of(float scale) { return scale == 0 ? 0.0f : 1.0f / scale; }

}  // namespace fovea::append
