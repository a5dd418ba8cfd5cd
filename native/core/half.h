// The 16-bit floating point types of the host code. Kept apart from the compiler's own so that the
// same definition serves every compiler and no conversion library is pulled in.
#pragma once

#include <bit>
#include <cstdint>

namespace fovea {

struct float16 {
  uint16_t bits;
};

struct bfloat16 {
  uint16_t bits;
};

inline float to_float(float x) { return x; }

inline float to_float(uint8_t x) { return x; }
inline float to_float(int8_t x) { return x; }

inline float to_float(bfloat16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }

inline float to_float(float16 x) {
  const uint32_t sign = uint32_t(x.bits & 0x8000) << 16;
  const uint32_t magnitude = x.bits & 0x7fff;
  if (magnitude >= 0x7c00) {  // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  }
  if (magnitude < 0x400) {  // zero, subnormal
    const float value = float(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + (112u << 23)));
}

template <typename T>
T from_float(float x);

template <>
inline float from_float<float>(float x) {
  return x;
}

// Round to nearest even; NaN stays a quiet NaN.
template <>
inline bfloat16 from_float<bfloat16>(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  if ((u & 0x7fffffff) > 0x7f800000) return {uint16_t(u >> 16 | 0x40)};
  return {uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}

template <>
inline float16 from_float<float16>(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x);
  const uint16_t sign = uint16_t(u >> 16 & 0x8000);
  const uint32_t magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000) return {uint16_t(sign | 0x7e00 | (magnitude >> 13 & 0x3ff))};
  if (magnitude >= 0x47800000) return {uint16_t(sign | 0x7c00)};  // 65536 and above
  if (magnitude < 0x38800000) {  // below 2^-14: adding 0.5 rounds at the place of a subnormal
    const float rounded = std::bit_cast<float>(magnitude) + 0.5f;
    return {uint16_t(sign | (std::bit_cast<uint32_t>(rounded) - 0x3f000000))};
  }
  const uint32_t rounded = magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1);
  return {uint16_t(sign | rounded >> 13)};
}

}  // namespace fovea
