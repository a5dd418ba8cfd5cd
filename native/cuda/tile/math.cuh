// Arithmetic that has an instruction of its own.
#pragma once

#include "tile/target.h"

#ifndef __CUDACC__
#include <bit>
#include <cmath>
#endif

namespace fovea::tile {

constexpr float kInfinity = __builtin_huge_valf();

FOVEA_DEVICE uint32_t as_bits(float x) {
#ifdef __CUDACC__
  return __float_as_uint(x);
#else
  return std::bit_cast<uint32_t>(x);
#endif
}

FOVEA_DEVICE float as_float(uint32_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

FOVEA_DEVICE uint64_t as_bits(double x) {
#ifdef __CUDACC__
  return uint64_t(__double_as_longlong(x));
#else
  return std::bit_cast<uint64_t>(x);
#endif
}

FOVEA_DEVICE double as_double(uint64_t bits) {
#ifdef __CUDACC__
  return __longlong_as_double(int64_t(bits));
#else
  return std::bit_cast<double>(bits);
#endif
}

// x, but the compiler does not know: what is computed from it in a loop is computed in every round
// and not held in registers from before.
FOVEA_DEVICE uint32_t opaque(uint32_t x) {
#ifdef __CUDACC__
  asm volatile("" : "+r"(x));
#endif
  return x;
}
FOVEA_DEVICE float opaque(float x) {
#ifdef __CUDACC__
  asm volatile("" : "+f"(x));
#endif
  return x;
}
template <typename T>
FOVEA_DEVICE const T* opaque(const T* x) {
#ifdef __CUDACC__
  asm volatile("" : "+l"(x));
#endif
  return x;
}
// Ends the launch with an error.
FOVEA_DEVICE void trap() {
#ifdef __CUDACC__
  __trap();
#endif
}

// thread_index() for addresses of products and copies. There are some forty of them in a round of the
// backward, as cheap to compute as to keep; kept, they cost D 128 spills of 4 to 56 bytes on one
// architecture or other.
FOVEA_DEVICE uint32_t thread_anew() { return opaque(thread_index()); }

// Bits that are set.
FOVEA_DEVICE int32_t count_bits(uint32_t x) {
#ifdef __CUDACC__
  return __popc(x);
#else
  return std::popcount(x);
#endif
}

// 2^x to 2 ulp; results below 2^-126 are zero, exp2(-infinity) is exactly 0.
FOVEA_DEVICE float exp2_approx(float x) {
#ifdef __CUDACC__
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return sim::exp2_approx(x);
#endif
}

// log2(x), absolute error 2^-22 near 1, else relative.
FOVEA_DEVICE float log2_approx(float x) {
#ifdef __CUDACC__
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return sim::log2_approx(x);
#endif
}

// 2^exponent, a normal number.
FOVEA_DEVICE float power_of_two(int32_t exponent) {
  return as_float(uint32_t(exponent + 127) << 23);
}

// 1 / x to 1 ulp; zero and infinity are each other's, results below 2^-126 are zero.
FOVEA_DEVICE float reciprocal_approx(float x) {
#ifdef __CUDACC__
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return sim::reciprocal_approx(x);
#endif
}

// To 2 ulp: tanh.approx, at 2^-11, would move lse by more than its bound.
FOVEA_DEVICE float tanh_accurate(float x) {
#ifdef __CUDACC__
  return tanhf(x);
#else
  return std::tanh(x);
#endif
}

// e^x and log(x) to 2 ulp, of all numbers.
FOVEA_DEVICE float exp_accurate(float x) {
#ifdef __CUDACC__
  return expf(x);
#else
  return std::exp(x);
#endif
}
FOVEA_DEVICE float log_accurate(float x) {
#ifdef __CUDACC__
  return logf(x);
#else
  return std::log(x);
#endif
}

// The larger; the other one if one is NaN.
FOVEA_DEVICE float maximum(float x, float y) {
#ifdef __CUDACC__
  return fmaxf(x, y);
#else
  return std::fmax(x, y);
#endif
}

// The smaller; the other one if one is NaN.
FOVEA_DEVICE float minimum(float x, float y) {
#ifdef __CUDACC__
  return fminf(x, y);
#else
  return std::fmin(x, y);
#endif
}

// The smaller; NaN if one is NaN. sm_80.
FOVEA_DEVICE float minimum_or_nan(float x, float y) {
#ifdef __CUDACC__
  float z;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(z) : "f"(x), "f"(y));
  return z;
#else
  return x < y || std::isnan(x) ? x : y;
#endif
}

FOVEA_DEVICE float square_root(float x) {
#ifdef __CUDACC__
  return sqrtf(x);
#else
  return std::sqrt(x);
#endif
}

// x * y rounded by itself: nvcc fuses the product of an operator with a sum where it can.
FOVEA_DEVICE float multiply_alone(float x, float y) {
#ifdef __CUDACC__
  return __fmul_rn(x, y);
#else
  return x * y;
#endif
}

FOVEA_DEVICE float fused_multiply_add(float x, float y, float z) {
#ifdef __CUDACC__
  return fmaf(x, y, z);
#else
  return std::fma(x, y, z);
#endif
}

// To the nearest number of 11 significant bits, ties away from zero: a factor of a TF32 product.
FOVEA_DEVICE uint32_t round_to_tf32(uint32_t x) {
#ifdef __CUDACC__
  uint32_t y;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "f"(as_float(x)));
  return y;
#else
  return (x & 0x7f800000) == 0x7f800000 ? x : (x + 0x1000) & ~0x1fffu;
#endif
}

}  // namespace fovea::tile
