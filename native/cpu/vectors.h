// Whole vectors from and to memory of any type and alignment.
#pragma once

#include "cpu/stream.h"

namespace fovea::cpu::FOVEA_TIER {

#if defined(__AVX512F__)
inline vfloat load_vector(const float* p) { return _mm512_loadu_ps(p); }
inline vfloat load_vector(const float16* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline vfloat load_vector(const bfloat16* p) {
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
}

inline vint load_vector(const int32_t* p) { return vint(_mm512_loadu_si512(p)); }

inline void store_vector(float* p, vfloat v) { _mm512_storeu_ps(p, v); }
template <typename Half>
inline void store_vector(Half* p, vfloat v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), round16(p, v));
}

// Two vectors past the caches, to a multiple of 64 bytes.
inline void stream_vectors(float* p, vfloat low, vfloat high) {
  _mm512_stream_ps(p, low);
  _mm512_stream_ps(p + kLanes, high);
}
template <typename Half>
inline void stream_vectors(Half* p, vfloat low, vfloat high) {
  const __m512i half = _mm512_castsi256_si512(round16(p, low));
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p),
                      _mm512_inserti64x4(half, round16(p, high), 1));
}
#else
#if defined(__AVX2__) || defined(__aarch64__)
#define FOVEA_CONVERSION inline
#else
#define FOVEA_CONVERSION [[gnu::noinline, gnu::flatten]]  // a loop over elements
#endif
inline vfloat load_vector(const float* p) { return load8(p); }
inline vint load_vector(const int32_t* p) { return load_int8(p); }
inline void store_vector(float* p, vfloat v) { store8(p, v); }
template <typename Half>
FOVEA_CONVERSION vfloat load_vector(const Half* p) {
  return load8(p);
}
template <typename Half>
FOVEA_CONVERSION void store_vector(Half* p, vfloat v) {
  store8(p, v);
}
#undef FOVEA_CONVERSION
template <typename T>
inline void stream_vectors(T* p, vfloat low, vfloat high) {
#if defined(__AVX2__)
  stream16(p, low, high);
#else
  store_vector(p, low);
  store_vector(p + kLanes, high);
#endif
}
#endif

// The first `count` elements; the rest is zero and not read.
template <typename T>
[[gnu::noinline]] vfloat load_first(const T* p, int64_t count) {
  T some[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) some[i] = p[i];
  return load_vector(some);
}

template <typename T>
[[gnu::noinline]] void store_first(T* p, vfloat v, int64_t count) {
  T some[kLanes];
  store_vector(some, v);
  for (int64_t i = 0; i < count; ++i) p[i] = some[i];
}

// The sum of all lanes.
inline float sum_of(float8 v) {
  v += shuffled<4, 5, 6, 7, 0, 1, 2, 3>(v);
  v += shuffled<2, 3, 0, 1, 6, 7, 4, 5>(v);
  return v[0] + v[1];
}
#if defined(__AVX512F__)
inline float sum_of(vfloat v) {
  return sum_of(float8(_mm512_castps512_ps256(v) + _mm512_extractf32x8_ps(v, 1)));
}
#endif

// The largest of all lanes, none of which is NaN.
inline float max_of(float8 v) {
  v = max8(v, shuffled<4, 5, 6, 7, 0, 1, 2, 3>(v));
  v = max8(v, shuffled<2, 3, 0, 1, 6, 7, 4, 5>(v));
  return std::max(v[0], v[1]);
}
#if defined(__AVX512F__)
inline float max_of(vfloat v) {
  return max_of(float8(_mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1))));
}
#endif

// Sixteen elements from `to` on, of which make(i) gives a vector; past the caches if `streams`, as stream16.
template <typename T, typename Make>
inline void put16(T* to, bool streams, Make make) {
#if defined(__AVX512F__)
  const vfloat v = make(0);
  if (!streams) return store_vector(to, v);
  if constexpr (sizeof(T) == 4) {
    _mm512_stream_ps(to, v);
  } else {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), round16(to, v));
  }
#else
  const vfloat low = make(0), high = make(kLanes);
  if (streams) return stream16(to, low, high);
  store_vector(to, low);
  store_vector(to + kLanes, high);
#endif
}

}  // namespace fovea::cpu::FOVEA_TIER
