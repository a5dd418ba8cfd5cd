// One vector type per instruction set tier. Included by one translation unit per tier and operation,
// which names the tier's namespace in FOVEA_TIER: inline functions of two tiers must never share a
// symbol, or the linker keeps one copy and an AVX2 machine may run AVX-512 code.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

#include "cpu/tier.h"

#if defined(__AVX2__)
#include <immintrin.h>
#else
#include "cpu/twin.h"
#endif
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace fovea::cpu::FOVEA_TIER {

#if defined(FOVEA_TILES)
constexpr int kIsa = FOVEA_ISA_AMX;
#elif defined(__AVX512BF16__)
constexpr int kIsa = FOVEA_ISA_AVX512_BF16;
#elif defined(__AVX512F__)
constexpr int kIsa = FOVEA_ISA_AVX512;
#elif defined(__AVX2__)
constexpr int kIsa = FOVEA_ISA_AVX2;
#elif defined(__aarch64__)
constexpr int kIsa = FOVEA_ISA_NEON;
#else
constexpr int kIsa = FOVEA_ISA_PORTABLE;
#endif
constexpr Tier kTier = kTiers[kIsa];
constexpr int kLanes = kTier.lanes;
constexpr int kGroup = kTier.group;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

#if defined(__AVX2__)
using vfloat = float __attribute__((vector_size(4 * kLanes)));
using vint = int32_t __attribute__((vector_size(4 * kLanes)));

inline vint bits(vfloat v) { return reinterpret_cast<vint>(v); }
inline vfloat from_bits(vint v) { return reinterpret_cast<vfloat>(v); }
inline vfloat floats(vint v) { return __builtin_convertvector(v, vfloat); }
// a where a comparison holds, else b. (Of a mask that lies there, `select` is cheaper.)
template <typename Mask, typename V>
inline V where(Mask mask, V a, V b) {
  return mask ? a : b;
}
#else
using vfloat = Twin<float>;
using vint = Twin<int32_t>;
static_assert(kLanes == 2 * vfloat::kHalf);

inline vint bits(vfloat v) { return {vint::Half(v.low), vint::Half(v.high)}; }
inline vfloat from_bits(vint v) { return {vfloat::Half(v.low), vfloat::Half(v.high)}; }
inline vfloat floats(vint v) {
  return {__builtin_convertvector(v.low, vfloat::Half), __builtin_convertvector(v.high, vfloat::Half)};
}
#endif

inline int64_t round_to_vectors(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

inline vfloat splat(float x) { return x - vfloat{}; }
inline vint splat(int32_t x) { return x - vint{}; }

// 0, 1, 2, ...
inline vint lane_numbers() {
  vint v;
  for (int lane = 0; lane < kLanes; ++lane) v[lane] = lane;
  return v;
}

inline vfloat load(const float* p) { return *reinterpret_cast<const vfloat*>(p); }
inline vint load(const int32_t* p) { return *reinterpret_cast<const vint*>(p); }
inline void store(float* p, vfloat v) { *reinterpret_cast<vfloat*>(p) = v; }

inline vfloat magnitude(vfloat v) { return from_bits(bits(v) & splat(INT32_MAX)); }
inline vfloat select(vint mask, vfloat a, vfloat b) {
  return from_bits((mask & bits(a)) | (~mask & bits(b)));
}

// Keeps a loaded value in a register: without it g++ 12 folds the load into each of the FMAs that
// use it, and the load ports, not the FMA units, become the limit (0.6 of the speed).
inline void pin([[maybe_unused]] vfloat& v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__AVX2__)
  asm("" : "+x"(v));
#endif
}

#if defined(__AVX512F__)
inline vfloat fma(vfloat a, vfloat b, vfloat c) { return _mm512_fmadd_ps(a, b, c); }
// max and min answer their second operand if either is NaN.
inline vfloat max(vfloat a, vfloat b) { return _mm512_max_ps(a, b); }
inline vfloat min(vfloat a, vfloat b) { return _mm512_min_ps(a, b); }
inline vfloat broadcast(const float* p) { return _mm512_set1_ps(*p); }
inline vfloat sqrt(vfloat a) { return _mm512_sqrt_ps(a); }
inline vfloat floor(vfloat a) { return _mm512_floor_ps(a); }
inline bool any(vint mask) { return _mm512_test_epi32_mask(__m512i(mask), __m512i(mask)) != 0; }
// A bit for each lane of a mask.
inline uint32_t lanes_of(vint mask) { return _mm512_movepi32_mask(__m512i(mask)); }
#elif defined(__AVX2__)
inline vfloat fma(vfloat a, vfloat b, vfloat c) { return _mm256_fmadd_ps(a, b, c); }
inline vfloat max(vfloat a, vfloat b) { return _mm256_max_ps(a, b); }
inline vfloat min(vfloat a, vfloat b) { return _mm256_min_ps(a, b); }
inline vfloat broadcast(const float* p) { return _mm256_broadcast_ss(p); }
inline vfloat sqrt(vfloat a) { return _mm256_sqrt_ps(a); }
inline vfloat floor(vfloat a) { return _mm256_floor_ps(a); }
inline bool any(vint mask) { return !_mm256_testz_si256(__m256i(mask), __m256i(mask)); }
inline uint32_t lanes_of(vint mask) { return uint32_t(_mm256_movemask_ps(__m256(mask))); }
#else
// vmaxq and vminq answer NaN where either is.
inline vfloat max(vfloat a, vfloat b) { return where(a > b, a, b); }
inline vfloat min(vfloat a, vfloat b) { return where(a < b, a, b); }
inline vfloat broadcast(const float* p) { return splat(*p); }
#if defined(__aarch64__)
inline vfloat fma(vfloat a, vfloat b, vfloat c) {
  return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}
inline vfloat sqrt(vfloat a) { return {vsqrtq_f32(a.low), vsqrtq_f32(a.high)}; }
inline vfloat floor(vfloat a) { return {vrndmq_f32(a.low), vrndmq_f32(a.high)}; }
inline bool any(vint mask) { return vmaxvq_u32(uint32x4_t(mask.low | mask.high)) != 0; }
// A bit for each lane of a mask.
inline uint32_t lanes_of(vint mask) {
  const uint32x4_t low = {1, 2, 4, 8}, high = {16, 32, 64, 128};
  return vaddvq_u32((uint32x4_t(mask.low) & low) | (uint32x4_t(mask.high) & high));
}
#else
inline vfloat fma(vfloat a, vfloat b, vfloat c) { return a * b + c; }
inline vfloat sqrt(vfloat a) {
  for (int lane = 0; lane < kLanes; ++lane) a[lane] = __builtin_sqrtf(a[lane]);
  return a;
}
inline vfloat floor(vfloat a) {
  for (int lane = 0; lane < kLanes; ++lane) a[lane] = __builtin_floorf(a[lane]);
  return a;
}
inline bool any(vint mask) {
  int32_t some = 0;
  for (int lane = 0; lane < kLanes; ++lane) some |= mask[lane];
  return some != 0;
}
inline uint32_t lanes_of(vint mask) {
  uint32_t all = 0;
  for (int lane = 0; lane < kLanes; ++lane) all |= uint32_t(mask[lane] & 1) << lane;
  return all;
}
#endif
#endif

// 2^x for x from -127 to 126: relative error 1.6e-7. NaN stays NaN; x < -126.5 gives exactly 0, because the
// exponent field of 2^-127 is 0.
inline vfloat exp2_within(vfloat x) {
  const vfloat magic = splat(0x1.8p23f + 127.0f);  // the low bits of x + magic hold round(x) + 127
  const vfloat shifted = x + magic;
  const vfloat f = x - (shifted - magic);
  const vfloat scale = from_bits(bits(shifted) << 23);
  vfloat p = splat(1.326472730e-3f);  // minimax of 2^f on [-0.5, 0.5]: error 9.2e-8
  p = fma(p, f, splat(9.671512991e-3f));
  p = fma(p, f, splat(5.550733581e-2f));
  p = fma(p, f, splat(2.402224243e-1f));
  p = fma(p, f, splat(6.931470037e-1f));
  p = fma(p, f, splat(1.0f));
  return p * scale;
}

// The same for any x up to 126, -inf too.
#if defined(FOVEA_TILES)
// Relative error 1.9e-7; x < -126 gives exactly 0, as what lies below normal numbers takes 150 cycles a vector. Eleven
// instructions instead of fourteen: 1,370 to 1,000 ns for 6,144 weights of a Xeon.
inline vfloat exp2(vfloat x) {
  const __mmask16 normal = _mm512_cmp_ps_mask(__m512(x), _mm512_set1_ps(-126.0f), _CMP_NLT_UQ);
  const vfloat f = vfloat(_mm512_reduce_ps(__m512(x), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));  // x - floor(x)
  vfloat p = splat(1.8671300495e-3f);  // minimax of 2^f on [0, 1]: error 8.2e-8
  p = fma(p, f, splat(9.0170307085e-3f));
  p = fma(p, f, splat(5.5799912661e-2f));
  p = fma(p, f, splat(2.4016444385e-1f));
  p = fma(p, f, splat(6.9315129519e-1f));
  p = fma(p, f, splat(1.0f));
  return vfloat(_mm512_maskz_scalef_ps(normal, __m512(p), __m512(x)));
}
#else
inline vfloat exp2(vfloat x) { return exp2_within(max(splat(-127.0f), x)); }
#endif

// log2 of a normal number or 0, which gives -inf: error 1.0e-7, relative to the larger of 1 and the result.
// NaN stays NaN.
inline vfloat log2(vfloat x) {
  // x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)).
  const vint shifted = bits(x) - splat(int32_t(0x3f3504f3));
  const vfloat n = floats(shifted >> 23);
  const vfloat f = from_bits((shifted & splat(0x7fffff)) + splat(int32_t(0x3f3504f3))) - splat(1.0f);
  const vfloat z = f * f;
  vfloat p = splat(7.0376836292e-2f);  // Cephes: ln(1 + f) = f - f^2 / 2 + f^3 p(f)
  p = fma(p, f, splat(-1.1514610310e-1f));
  p = fma(p, f, splat(1.1676998740e-1f));
  p = fma(p, f, splat(-1.2420140846e-1f));
  p = fma(p, f, splat(1.4249322787e-1f));
  p = fma(p, f, splat(-1.6668057665e-1f));
  p = fma(p, f, splat(2.0000714765e-1f));
  p = fma(p, f, splat(-2.4999993993e-1f));
  p = fma(p, f, splat(3.3333331174e-1f));
  const vfloat ln = fma(p, z * f, fma(splat(-0.5f), z, f));
  const vfloat y = fma(ln, splat(1.44269504f), n);
  return select(x == splat(0.0f), splat(-kInfinity), select(x == x, y, x));
}

// e^(2 (x + low)) for |x| <= 43 and a `low` that x is too coarse for: relative error 1.1e-7 (measured over
// every float x on each tier). The remainder of the reduction is exact with or without a fused multiply-add.
inline vfloat exp_twice(vfloat x, vfloat low) {
  const vfloat magic = splat(0x1.8p23f + 127.0f);
  const vfloat shifted = fma(x, splat(2.8853900817779268f), magic);
  const vfloat n = shifted - magic;
  vfloat f = fma(n, splat(-0.693359375f), x + x);
  f = fma(n, splat(2.12194440e-4f), f) + (low + low);
  const vfloat scale = from_bits(bits(shifted) << 23);
  vfloat p = splat(1.9875691500e-4f);  // Cephes: e^f = 1 + f + f^2 p(f) on [-ln2 / 2, ln2 / 2]
  p = fma(p, f, splat(1.3981999507e-3f));
  p = fma(p, f, splat(8.3334519073e-3f));
  p = fma(p, f, splat(4.1665795894e-2f));
  p = fma(p, f, splat(1.6666665459e-1f));
  p = fma(p, f, splat(5.0000001201e-1f));
  return (fma(p, f * f, f) + splat(1.0f)) * scale;
}

// tanh to 2 ulp: the odd polynomial of Cephes below 0.625, 1 - 2 / (e^2x + 1) above.
inline vfloat tanh(vfloat x) {
  const vint sign = bits(x) & splat(INT32_MIN);
  const vfloat a = magnitude(x);
  const vfloat z = x * x;
  vfloat p = splat(-5.70498872745e-3f);
  p = fma(p, z, splat(2.06390887954e-2f));
  p = fma(p, z, splat(-5.37397155531e-2f));
  p = fma(p, z, splat(1.33314422036e-1f));
  p = fma(p, z, splat(-3.33332819422e-1f));
  const vfloat small = fma(p * z, x, x);
  const vfloat e = exp2(min(splat(30.0f), a * splat(2.8853900817779268f)));
  const vfloat large = splat(1.0f) - splat(2.0f) / (e + splat(1.0f));
  const vfloat y = select(a < splat(0.625f), small, from_bits(bits(large) | sign));
  return select(x == x, y, x);
}

// The derivative of sigmoid, without the difference that would cancel.
inline vfloat sigmoid_slope(vfloat z) {
  const vfloat power = exp2(magnitude(z) * splat(-1.44269504088896340736f));
  const vfloat high = splat(1.0f) / (splat(1.0f) + power);
  return power * high * high;
}

// 1 / (1 + e^-z) by whichever power is below 1: 0 and 1 at the infinities, NaN where z is.
inline vfloat sigmoid(vfloat z) {
  const vfloat power = exp2(magnitude(z) * splat(-1.44269504088896340736f));
  const vfloat high = splat(1.0f) / (splat(1.0f) + power);
  return select(z >= splat(0.0f), high, select(z == z, power * high, z));
}

}  // namespace fovea::cpu::FOVEA_TIER
