// Vectors of float64, for the few sums that float32 is too coarse for: as large as those of simd.h, of half
// as many lanes.
#pragma once

#include "cpu/simd.h"

namespace fovea::cpu::FOVEA_TIER {

constexpr int kDoubles = kLanes / 2;

#if defined(__AVX2__)
using vdouble = double __attribute__((vector_size(8 * kDoubles)));

// kDoubles floats.
using vhalf = float __attribute__((vector_size(4 * kDoubles)));
inline vdouble load_wide(const float* p) {
  return __builtin_convertvector(*reinterpret_cast<const vhalf*>(p), vdouble);
}
inline void store_narrow(float* p, vdouble v) {
  *reinterpret_cast<vhalf*>(p) = __builtin_convertvector(v, vhalf);
}
#else
using vdouble = Twin<double>;

inline vdouble load_wide(const float* p) {
  const vdouble::Half low = {double(p[0]), double(p[1])}, high = {double(p[2]), double(p[3])};
  return {low, high};
}
inline void store_narrow(float* p, vdouble v) {
  for (int lane = 0; lane < kDoubles; ++lane) p[lane] = float(v[lane]);
}
#endif
inline vdouble splat(double x) { return x - vdouble{}; }
inline vdouble load(const double* p) { return *reinterpret_cast<const vdouble*>(p); }
inline void store(double* p, vdouble v) { *reinterpret_cast<vdouble*>(p) = v; }

#if defined(__AVX512F__)
inline vdouble fma(vdouble a, vdouble b, vdouble c) { return _mm512_fmadd_pd(a, b, c); }
inline __m256d halve(vdouble v) { return _mm512_castpd512_pd256(v) + _mm512_extractf64x4_pd(v, 1); }
#elif defined(__AVX2__)
inline vdouble fma(vdouble a, vdouble b, vdouble c) { return _mm256_fmadd_pd(a, b, c); }
inline __m256d halve(vdouble v) { return v; }
#elif defined(__aarch64__)
inline vdouble fma(vdouble a, vdouble b, vdouble c) {
  return {vfmaq_f64(c.low, a.low, b.low), vfmaq_f64(c.high, a.high, b.high)};
}
#else
inline vdouble fma(vdouble a, vdouble b, vdouble c) { return a * b + c; }
#endif

// The sums over the lanes of each of four vectors.
inline void sum_lanes(const vdouble (&v)[4], double (&sums)[4]) {
#if defined(__AVX2__)
  const __m256d low = _mm256_hadd_pd(halve(v[0]), halve(v[1]));
  const __m256d high = _mm256_hadd_pd(halve(v[2]), halve(v[3]));
  _mm256_storeu_pd(sums, _mm256_permute2f128_pd(low, high, 0x21) + _mm256_blend_pd(low, high, 12));
#else
  for (int n = 0; n < 4; ++n) {
    sums[n] = 0;
    for (int lane = 0; lane < kDoubles; ++lane) sums[n] += v[n][lane];
  }
#endif
}

}  // namespace fovea::cpu::FOVEA_TIER
