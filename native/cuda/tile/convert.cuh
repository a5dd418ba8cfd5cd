// Between float32 and what a product takes.
#pragma once

#include <type_traits>

#include "core/half.h"
#include "tile/math.cuh"

namespace fovea::tile {

// Two numbers rounded to the nearest 16-bit ones, the first in the low half.
template <typename Element>
FOVEA_DEVICE uint32_t pack(float low, float high) {
  static_assert(std::is_same_v<Element, float16> || std::is_same_v<Element, bfloat16>);
#ifdef __CUDACC__
  uint32_t pair;
  if constexpr (std::is_same_v<Element, float16>) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  }
  return pair;
#else
  return uint32_t{from_float<Element>(low).bits} | uint32_t{from_float<Element>(high).bits} << 16;
#endif
}

// x as high + low, two TF32 numbers: `x` becomes the bits of the first, `low` of the second. The
// difference is exact; with an infinity or NaN it must not spoil the sum of the products.
FOVEA_DEVICE void split_tf32(uint32_t& x, uint32_t& low) {
  const float value = as_float(x);
  const float high = round_to_tf32(value);
  x = as_bits(high);
  const float rest = value - high;
  low = as_bits(rest - rest == 0 ? round_to_tf32(rest) : 0.0f);
}

FOVEA_DEVICE float widen(float x) { return x; }

FOVEA_DEVICE float widen(float16 x) {
#ifdef __CUDACC__
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
#else
  return to_float(x);
#endif
}

FOVEA_DEVICE float widen(bfloat16 x) { return as_float(uint32_t{x.bits} << 16); }

}  // namespace fovea::tile
