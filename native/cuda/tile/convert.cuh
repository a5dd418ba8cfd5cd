// Between float32 and what a product takes, or a tensor holds.
#pragma once

#include <type_traits>

#include "core/cache_types.h"
#include "fovea.h"
#include "tile/memory.cuh"

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

// Four to the nearest of e4m3, of at most 448, the first in the low byte.
FOVEA_DEVICE uint32_t pack_e4m3(float first, float second, float third, float fourth) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  uint32_t all;
  asm("{\n.reg .b16 low, high;\n"
      "cvt.rn.satfinite.e4m3x2.f32 low, %2, %1;\n"
      "cvt.rn.satfinite.e4m3x2.f32 high, %4, %3;\n"
      "mov.b32 %0, {low, high};\n}"
      : "=r"(all)
      : "f"(first), "f"(second), "f"(third), "f"(fourth));
  return all;
#else
  return round_to_e4m3(first) | round_to_e4m3(second) << 8 | round_to_e4m3(third) << 16 | round_to_e4m3(fourth) << 24;
#endif
}

// x as high + low, two TF32 numbers: `x` becomes the bits of the first, `low` of the second, of which a
// product ignores the last 13. The first is rounded to nearest in integers; the rest, exact, has 12 bits
// at most, so that truncating it to 11 errs as much as rounding it would: both ways by the last bit of
// x, with the sign of the rest, which is as often negative. (A first that is truncated leaves rests of
// one sign, and a bias of 1e-7.) Three instructions, where cvt.rna, which does not promise zeros in the
// last bits, took thirteen.
//
// Where the first would be infinite, every product of the two with another two is NaN. kAll makes it the
// largest number instead, for two instructions more: the rest of what is finite is finite, and that of
// infinity, or of a NaN, is it. So each meets the other factor in one product alone, whose first is not
// zero, and not its rest, which may be: 0 * infinity is NaN.
template <bool kAll>
FOVEA_DEVICE void split_tf32(uint32_t& x, uint32_t& low) {
  const float value = as_float(x);
  x = (x + 0x1000) & ~0x1fffu;
  if (kAll && __builtin_fabsf(as_float(x)) == kInfinity) x -= 0x2000;
  low = as_bits(value - as_float(x));
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

FOVEA_DEVICE void store_rounded(float* to, float x) { store_global(to, x); }
template <typename Half>
FOVEA_DEVICE void store_rounded(Half* to, float x) {
  store_global(to, Half{uint16_t(pack<Half>(x, 0))});
}

// Calls body with a null pointer of the type that `dtype`, a FOVEA_* one, names.
template <typename Body>
FOVEA_DEVICE void with_type(int32_t dtype, Body body) {
  if (dtype == FOVEA_FLOAT32) {
    body(static_cast<float*>(nullptr));
  } else if (dtype == FOVEA_FLOAT16) {
    body(static_cast<float16*>(nullptr));
  } else {
    body(static_cast<bfloat16*>(nullptr));
  }
}

// Element `index` of consecutive words.
template <typename Element>
FOVEA_DEVICE float element(const uint32_t (&words)[4], int index) {
  if constexpr (sizeof(Element) == 4) {
    return as_float(words[index]);
  } else {
    return widen(Element{uint16_t(words[index / 2] >> index % 2 * 16)});
  }
}

}  // namespace fovea::tile
