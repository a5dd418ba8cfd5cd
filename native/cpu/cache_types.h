// Vectors and squares of the elements that caches of keys and values have, as float32.
#pragma once

#include "core/cache_types.h"
#include "cpu/pack.h"

namespace fovea::cpu::FOVEA_TIER {

// Calls body(T{}) with the type that a FOVEA_* type names, those of caches included.
template <typename Body>
inline void with_cache_type(int32_t dtype, Body body) {
  switch (dtype) {
    case FOVEA_INT8:
      return body(int8_t{});
    case FOVEA_INT4X2:
      return body(int4x2{});
    case FOVEA_FLOAT8_E4M3:
      return body(float8_e4m3{});
    default:
      return with_type(dtype, body);
  }
}

// Where column c of a row begins: c is even.
template <typename C>
inline const C* column(const char* row, int64_t c) {
  return reinterpret_cast<const C*>(row) + c / kValuesOf<C>;
}

#if defined(__AVX2__)
// As a float of exponent bias 127, of which the bias of 7 is 2^120 too little; 0x7f is NaN.
inline float8 widened(__m256i v, float8_e4m3) {
  const __m256i magnitude = _mm256_and_si256(v, _mm256_set1_epi32(0x7f));
  const __m256i sign = _mm256_slli_epi32(_mm256_srli_epi32(v, 7), 31);
  const __m256 x = _mm256_castsi256_ps(_mm256_or_si256(_mm256_slli_epi32(magnitude, 20), sign));
  const __m256i nan = _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7f));
  return _mm256_or_ps(_mm256_mul_ps(x, _mm256_set1_ps(0x1p120f)), _mm256_castsi256_ps(nan));
}
#endif

// Eight columns from c on.
template <typename C>
inline float8 load_eight(const char* row, int64_t c) {
  const C* const at = column<C>(row, c);
  if constexpr (std::is_same_v<C, int4x2>) {
#if defined(__AVX2__)
    int32_t raw;
    std::memcpy(&raw, at, sizeof raw);
    const __m128i low = _mm_cvtsi32_si128(raw);
    const __m256i wide = _mm256_cvtepu8_epi32(_mm_unpacklo_epi8(low, _mm_srli_epi16(low, 4)));
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(wide, 28), 28));
#else
    float8 v;
    for (int i = 0; i < 8; ++i) v[i] = to_float(at[i / 2], i % 2);
    return v;
#endif
#if defined(__AVX2__)
  } else if constexpr (std::is_same_v<C, int8_t>) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
  } else if constexpr (std::is_same_v<C, float8_e4m3>) {
    return widened(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))), C{});
#endif
  } else {
    return load8(at);
  }
}

// The first `count` of them; the rest is zero and not read.
template <typename C>
[[gnu::noinline]] float8 load_some_eight(const char* row, int64_t c, int64_t count) {
  C some[8] = {};
  std::memcpy(some, column<C>(row, c), size_t((count + kValuesOf<C> - 1) / kValuesOf<C>) * sizeof(C));
  return load_eight<C>(reinterpret_cast<const char*>(some), 0);
}

#if defined(__AVX512F__)

inline vfloat widened(__m512i v, int8_t) { return _mm512_cvtepi32_ps(v); }
inline vfloat widened(__m512i v, float8_e4m3) {
  const __m512i magnitude = _mm512_and_si512(v, _mm512_set1_epi32(0x7f));
  const __m512i sign = _mm512_slli_epi32(_mm512_srli_epi32(v, 7), 31);
  const vfloat x = _mm512_castsi512_ps(_mm512_or_si512(_mm512_slli_epi32(magnitude, 20), sign));
  const __mmask16 nan = _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x7f));
  return _mm512_mask_mov_ps(x * splat(0x1p120f), nan, splat(__builtin_nanf("")));
}

template <typename C>
inline vfloat load_lanes(const char* row, int64_t c) {
  const C* const at = column<C>(row, c);
  if constexpr (std::is_same_v<C, float>) {
    return _mm512_loadu_ps(at);
  } else if constexpr (std::is_same_v<C, float16>) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  } else if constexpr (std::is_same_v<C, bfloat16>) {
    const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(raw), 16));
  } else if constexpr (std::is_same_v<C, int4x2>) {
    const __m512i raw = _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)),
        _mm_srli_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)), 4)));
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(raw, 28), 28));
  } else {
    const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return widened(std::is_signed_v<C> ? _mm512_cvtepi8_epi32(raw) : _mm512_cvtepu8_epi32(raw), C{});
  }
}

#else

template <typename C>
inline vfloat load_lanes(const char* row, int64_t c) {
  return vfloat(load_eight<C>(row, c));
}

#endif

// The first `count` of them; the rest is zero and not read.
template <typename C>
[[gnu::noinline]] vfloat load_some_lanes(const char* row, int64_t c, int64_t count) {
  C some[kLanes] = {};
  std::memcpy(some, column<C>(row, c), size_t((count + kValuesOf<C> - 1) / kValuesOf<C>) * sizeof(C));
  return load_lanes<C>(reinterpret_cast<const char*>(some), 0);
}

// Columns [c, c + columns) of kLanes rows: v[i] has column c + i of all of them.
template <typename C>
inline void load_square(const char* const* rows, int64_t c, int columns, vfloat (&v)[kLanes]) {
#if defined(__AVX512F__)
  alignas(64) float part[kLanes][kLanes];
  constexpr bool kDirect = std::is_same_v<C, float>;
  const bool copied = !kDirect || columns < kLanes;
  if (copied) {
#pragma GCC unroll 16
    for (int r = 0; r < kLanes; ++r) {
      store(part[r], columns < kLanes ? load_some_lanes<C>(rows[r], c, columns)
                                      : load_lanes<C>(rows[r], c));
    }
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    __m512 t[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      const auto quad = [&](int row) {
        return copied ? _mm_load_ps(part[row] + 4 * q)
                      : _mm_loadu_ps(reinterpret_cast<const float*>(rows[row]) + c + 4 * q);
      };
      t[r] = _mm512_castps128_ps512(quad(r));
      t[r] = _mm512_insertf32x4(t[r], quad(r + 4), 1);
      t[r] = _mm512_insertf32x4(t[r], quad(r + 8), 2);
      t[r] = _mm512_insertf32x4(t[r], quad(r + 12), 3);
    }
    const __m512 a0 = _mm512_unpacklo_ps(t[0], t[1]), a1 = _mm512_unpackhi_ps(t[0], t[1]);
    const __m512 a2 = _mm512_unpacklo_ps(t[2], t[3]), a3 = _mm512_unpackhi_ps(t[2], t[3]);
    v[4 * q] = _mm512_shuffle_ps(a0, a2, 0x44);
    v[4 * q + 1] = _mm512_shuffle_ps(a0, a2, 0xee);
    v[4 * q + 2] = _mm512_shuffle_ps(a1, a3, 0x44);
    v[4 * q + 3] = _mm512_shuffle_ps(a1, a3, 0xee);
  }
#else
  float8 square[8];
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) {
    square[r] = float8(columns < kLanes ? load_some_lanes<C>(rows[r], c, columns)
                                        : load_lanes<C>(rows[r], c));
  }
  transpose8(square);
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) v[r] = vfloat(square[r]);
#endif
}

}  // namespace fovea::cpu::FOVEA_TIER
