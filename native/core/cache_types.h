// The types that caches of keys and values have beside those of half.h.
#pragma once

#include "core/half.h"

namespace fovea {

// Two values from -8 to 7, the first in the lower half.
struct int4x2 {
  uint8_t bits;
};

// 4 bits of exponent with bias 7, 3 of mantissa; no infinities (Micikevicius et al., arXiv 2209.05433).
struct float8_e4m3 {
  uint8_t bits;
};

template <typename T>
constexpr int kValuesOf = 1;
template <>
constexpr int kValuesOf<int4x2> = 2;

inline float to_float(float8_e4m3 x) {
  const uint32_t magnitude = x.bits & 0x7f;
  const float value =
      magnitude == 0x7f ? __builtin_nanf("") : std::bit_cast<float>(magnitude << 20) * 0x1p120f;
  return x.bits < 0x80 ? value : -value;
}

// The value of an even column, or of the odd one beside it.
inline float to_float(int4x2 x, int odd) {
  return float(int8_t(uint8_t(odd != 0 ? x.bits : x.bits << 4)) >> 4);
}

}  // namespace fovea
