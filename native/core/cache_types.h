// The types that caches of keys and values have beside those of half.h.
#pragma once

#include "core/dtype.h"
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

// The largest magnitude that a number becomes: integers have as many below 0 as above.
template <typename T>
constexpr float kMostOf = 0;
template <>
constexpr float kMostOf<int8_t> = 127;
template <>
constexpr float kMostOf<int4x2> = 7;
template <>
constexpr float kMostOf<float8_e4m3> = 448;

FOVEA_EVERYWHERE constexpr float most_of(int32_t dtype) {
  return dtype == FOVEA_INT8 ? kMostOf<int8_t> : dtype == FOVEA_INT4X2 ? kMostOf<int4x2> : kMostOf<float8_e4m3>;
}

FOVEA_EVERYWHERE inline float to_float(float8_e4m3 x) {
  const uint32_t magnitude = x.bits & 0x7f, sign = uint32_t(x.bits & 0x80) << 24;
  // What has too few bits for a float is one of its subnormal numbers until it is multiplied.
  return magnitude == 0x7f ? __builtin_bit_cast(float, 0x7fc00000)
                           : __builtin_bit_cast(float, sign | magnitude << 20) * 0x1p120f;
}

// The value of an even column, or of the odd one beside it.
FOVEA_EVERYWHERE inline float to_float(int4x2 x, int odd) {
  return float(int8_t(uint8_t(odd != 0 ? x.bits : x.bits << 4)) >> 4);
}

// The nearest integer, of two the even one, from -most to most; of NaN 0.
FOVEA_EVERYWHERE inline int32_t round_within(float x, float most) {
  if (!(x == x)) return 0;
  constexpr float kApart = 0x1.8p23f;  // numbers beside it are 1 apart
  const float within = x < -most ? -most : x > most ? most : x;
  return __builtin_bit_cast(int32_t, within + kApart) - __builtin_bit_cast(int32_t, kApart);
}

// The bits of the nearest one, of two the even one, of at most 448; those of any NaN are 0x7f.
FOVEA_EVERYWHERE inline uint32_t round_to_e4m3(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x), sign = bits >> 24 & 0x80;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7f;
  if (magnitude > 0x43e00000) magnitude = 0x43e00000;  // 448
  if (magnitude < 0x3c800000) {  // below 2^-6: beside 2^14 numbers are as far apart as subnormals are
    const float rounded = __builtin_bit_cast(float, magnitude) + 0x1p14f;
    return sign | (__builtin_bit_cast(uint32_t, rounded) - __builtin_bit_cast(uint32_t, 0x1p14f));
  }
  return sign | (((magnitude + 0x7ffff + (magnitude >> 20 & 1)) >> 20) - (120u << 3));
}

template <>
inline int8_t from_float<int8_t>(float x) {
  return int8_t(round_within(x, kMostOf<int8_t>));
}

template <>
inline float8_e4m3 from_float<float8_e4m3>(float x) {
  return {uint8_t(round_to_e4m3(x))};
}

// Of an even column, and the odd one beside it.
inline int4x2 from_floats(float even, float odd) {
  const int32_t low = round_within(even, kMostOf<int4x2>), high = round_within(odd, kMostOf<int4x2>);
  return {uint8_t((low & 15) | (high & 15) << 4)};
}

}  // namespace fovea
