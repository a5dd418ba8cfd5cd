// A whole vector of the tier at any address of a row of any type, and back.
#pragma once

#include "cpu/stream.h"

namespace fovea::cpu::FOVEA_TIER {

#if defined(__AVX512F__)
inline vfloat load_lanes(const float* p) { return _mm512_loadu_ps(p); }
inline vfloat load_lanes(const float16* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline vfloat load_lanes(const bfloat16* p) {
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
}

inline void store_lanes(float* p, vfloat v) { _mm512_storeu_ps(p, v); }
template <typename Half>
inline void store_lanes(Half* p, vfloat v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), round16(p, v));
}
#else
template <typename T>
inline vfloat load_lanes(const T* p) {
  return load8(p);
}
template <typename T>
inline void store_lanes(T* p, vfloat v) {
  store8(p, v);
}
#endif

// The sum of all lanes.
inline float sum_of(float8 v) {
  using Lanes = int32_t __attribute__((vector_size(32)));
  v += __builtin_shuffle(v, Lanes{4, 5, 6, 7, 0, 1, 2, 3});
  v += __builtin_shuffle(v, Lanes{2, 3, 0, 1, 6, 7, 4, 5});
  return v[0] + v[1];
}
#if defined(__AVX512F__)
inline float sum_of(vfloat v) {
  return sum_of(float8(_mm512_castps512_ps256(v) + _mm512_extractf32x8_ps(v, 1)));
}
#endif

// Sixteen elements from `to` on, of which make(i) gives a vector; past the caches if `streams`, as stream16.
template <typename T, typename Make>
inline void put16(T* to, bool streams, Make make) {
#if defined(__AVX512F__)
  const vfloat v = make(0);
  if (!streams) return store_lanes(to, v);
  if constexpr (sizeof(T) == 4) {
    _mm512_stream_ps(to, v);
  } else {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), round16(to, v));
  }
#else
  const vfloat low = make(0), high = make(kLanes);
  if (streams) return stream16(to, low, high);
  store_lanes(to, low);
  store_lanes(to + kLanes, high);
#endif
}

}  // namespace fovea::cpu::FOVEA_TIER
