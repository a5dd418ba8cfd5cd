// Loads, stores and transposes between the caller's strided rows and the kernels' float32 panels.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/cache_types.h"
#include "cpu/simd.h"

namespace fovea::cpu::FOVEA_TIER {

#if defined(__AVX2__)
using float8 = float __attribute__((vector_size(32), aligned(4)));
using int8 = int32_t __attribute__((vector_size(32), aligned(4)));

inline int8 bits8(float8 v) { return reinterpret_cast<int8>(v); }
inline float8 from_bits8(int8 v) { return reinterpret_cast<float8>(v); }
inline bool any8(int8 mask) { return _mm256_movemask_epi8(reinterpret_cast<__m256i>(mask)) != 0; }
// Lanes kLanes of a vector.
template <int... kLanes, typename V>
inline V shuffled(V v) {
  return __builtin_shuffle(v, int8{kLanes...});
}

// Not memcpy: g++ 12 copies 32 bytes as two halves through the stack, and the 32-byte load that
// follows waits for both stores (8 times slower).
inline float8 load8(const float* p) { return _mm256_loadu_ps(p); }
inline void store8(float* p, float8 v) { _mm256_storeu_ps(p, v); }

inline float8 load8(const float16* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}

inline float8 load8(const bfloat16* p) {
  const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(raw), 16));
}

// As a float of exponent bias 127; 0x7f is NaN. Numbers below normal are integers of a unit: as floats below normal,
// and multiplied, they took 20 times as long on an Intel core.
inline float8 widened(__m256i v, float8_e4m3) {
  const __m256i magnitude = _mm256_and_si256(v, _mm256_set1_epi32(0x7f));
  const __m256i sign = _mm256_slli_epi32(_mm256_srli_epi32(v, 7), 31);
  const __m256i number = _mm256_add_epi32(_mm256_slli_epi32(magnitude, 20), _mm256_set1_epi32(120 << 23));
  const __m256 low = _mm256_mul_ps(_mm256_cvtepi32_ps(magnitude), _mm256_set1_ps(0x1p-9f));
  const __m256i is_low = _mm256_cmpgt_epi32(_mm256_set1_epi32(8), magnitude);
  const __m256 x = _mm256_blendv_ps(_mm256_castsi256_ps(number), low, _mm256_castsi256_ps(is_low));
  const __m256i nan = _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7f));
  return _mm256_or_ps(_mm256_or_ps(x, _mm256_castsi256_ps(sign)), _mm256_castsi256_ps(nan));
}
inline float8 load8(const float8_e4m3* p) {
  return widened(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))), float8_e4m3{});
}

inline float8 load8(const uint8_t* p) {
  const __m128i raw = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(raw));
}

// To the type that is pointed to.
inline __m128i round8(const float16*, float8 v) {
  return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// To nearest even, NaN quiet, as from_float does; g++ 12 leaves a loop over that scalar (5 times slower).
inline __m128i round8(const bfloat16*, float8 v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i high = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(
      _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
  const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i words = _mm256_blendv_epi8(rounded, quiet, nan);
  return _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

// Sixteen of them.
template <typename Half>
inline __m256i round16(const Half* p, float8 low, float8 high) {
  return _mm256_set_m128i(round8(p, high), round8(p, low));
}
#if defined(__AVX512F__)
inline __m256i round16(const float16*, __m512 v) {
  return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
inline __m256i round16(const bfloat16*, __m512 v) {
  const __m512i bits = _mm512_castps_si512(v), top = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(top, _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(
      _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, top, _mm512_set1_epi32(0x40)));
}
inline __m256i round16(const bfloat16* p, float8 low, float8 high) {
  return round16(p, _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1));
}
#endif

template <typename Half>
inline void store8(Half* p, float8 v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), round8(p, v));
}

inline void store_low4(float* p, float8 v) { _mm_storeu_ps(p, _mm256_castps256_ps128(v)); }
inline void store_high4(float* p, float8 v) { _mm_storeu_ps(p, _mm256_extractf128_ps(v, 1)); }

// v[r][c] becomes v[c][r].
inline void transpose8(float8 (&v)[8]) {
  const __m256 a0 = _mm256_unpacklo_ps(v[0], v[1]), a1 = _mm256_unpackhi_ps(v[0], v[1]);
  const __m256 a2 = _mm256_unpacklo_ps(v[2], v[3]), a3 = _mm256_unpackhi_ps(v[2], v[3]);
  const __m256 a4 = _mm256_unpacklo_ps(v[4], v[5]), a5 = _mm256_unpackhi_ps(v[4], v[5]);
  const __m256 a6 = _mm256_unpacklo_ps(v[6], v[7]), a7 = _mm256_unpackhi_ps(v[6], v[7]);
  const __m256 b0 = _mm256_shuffle_ps(a0, a2, 0x44), b1 = _mm256_shuffle_ps(a0, a2, 0xee);
  const __m256 b2 = _mm256_shuffle_ps(a1, a3, 0x44), b3 = _mm256_shuffle_ps(a1, a3, 0xee);
  const __m256 b4 = _mm256_shuffle_ps(a4, a6, 0x44), b5 = _mm256_shuffle_ps(a4, a6, 0xee);
  const __m256 b6 = _mm256_shuffle_ps(a5, a7, 0x44), b7 = _mm256_shuffle_ps(a5, a7, 0xee);
  v[0] = _mm256_permute2f128_ps(b0, b4, 0x20), v[4] = _mm256_permute2f128_ps(b0, b4, 0x31);
  v[1] = _mm256_permute2f128_ps(b1, b5, 0x20), v[5] = _mm256_permute2f128_ps(b1, b5, 0x31);
  v[2] = _mm256_permute2f128_ps(b2, b6, 0x20), v[6] = _mm256_permute2f128_ps(b2, b6, 0x31);
  v[3] = _mm256_permute2f128_ps(b3, b7, 0x20), v[7] = _mm256_permute2f128_ps(b3, b7, 0x31);
}

#else

using float8 = vfloat;
using int8 = vint;

inline int8 bits8(float8 v) { return bits(v); }
inline float8 from_bits8(int8 v) { return from_bits(v); }
inline bool any8(int8 mask) { return any(mask); }
template <int k0, int k1, int k2, int k3, int k4, int k5, int k6, int k7, typename V>
inline V shuffled(V v) {
  using Lanes = int8::Half;
  return {__builtin_shuffle(v.low, v.high, Lanes{k0, k1, k2, k3}),
          __builtin_shuffle(v.low, v.high, Lanes{k4, k5, k6, k7})};
}

using Words = uint16_t __attribute__((vector_size(16), aligned(2)));

template <typename T>
inline float8 load8(const T* p) {
  float8 v;
  for (int c = 0; c < 8; ++c) v[c] = to_float(p[c]);
  return v;
}
inline float8 load8(const float* p) { return *reinterpret_cast<const float8*>(p); }
inline float8 load8(const bfloat16* p) {
  const Words words = *reinterpret_cast<const Words*>(p), none = {};
  return {float8::Half(__builtin_shuffle(none, words, Words{0, 8, 1, 9, 2, 10, 3, 11})),
          float8::Half(__builtin_shuffle(none, words, Words{4, 12, 5, 13, 6, 14, 7, 15}))};
}

inline void store8(float* p, float8 v) { *reinterpret_cast<float8*>(p) = v; }
inline void store8(bfloat16* p, float8 v) {
  const int8 bits = bits8(v), number = where(v == v, bits, int8{});  // no sum of NaN overflows
  const int8 rounded = where(v == v, number + ((number >> 16) & 1) + 0x7fff, bits | 0x400000);
  *reinterpret_cast<Words*>(p) =
      __builtin_shuffle(Words(rounded.low), Words(rounded.high), Words{1, 3, 5, 7, 9, 11, 13, 15});
}
#if defined(__aarch64__)
inline float8 load8(const float16* p) {
  const float16x8_t v = vld1q_f16(reinterpret_cast<const float16_t*>(p));
  return {vcvt_f32_f16(vget_low_f16(v)), vcvt_high_f32_f16(v)};
}
inline void store8(float16* p, float8 v) {
  vst1q_f16(reinterpret_cast<float16_t*>(p), vcvt_high_f16_f32(vcvt_f16_f32(v.low), v.high));
}
#else
inline void store8(float16* p, float8 v) {
  for (int c = 0; c < 8; ++c) p[c] = from_float<float16>(v[c]);
}
#endif

inline void store_low4(float* p, float8 v) { *reinterpret_cast<float8::Half*>(p) = v.low; }
inline void store_high4(float* p, float8 v) { *reinterpret_cast<float8::Half*>(p) = v.high; }

// v[r][c] becomes v[c][r].
inline void transpose4(float8::Half (&v)[4]) {
  using Half = float8::Half;
  const int8::Half low = {0, 4, 1, 5}, high = {2, 6, 3, 7}, first = {0, 1, 4, 5}, last = {2, 3, 6, 7};
  const Half a = __builtin_shuffle(v[0], v[1], low), b = __builtin_shuffle(v[0], v[1], high);
  const Half c = __builtin_shuffle(v[2], v[3], low), d = __builtin_shuffle(v[2], v[3], high);
  v[0] = __builtin_shuffle(a, c, first), v[1] = __builtin_shuffle(a, c, last);
  v[2] = __builtin_shuffle(b, d, first), v[3] = __builtin_shuffle(b, d, last);
}
inline void transpose8(float8 (&v)[8]) {
  float8::Half blocks[2][2][4];  // rows above and below, columns before and behind
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) blocks[r / 4][0][r % 4] = v[r].low, blocks[r / 4][1][r % 4] = v[r].high;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) transpose4(blocks[i / 2][i % 2]);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    v[i] = {blocks[0][0][i], blocks[1][0][i]};
    v[4 + i] = {blocks[0][1][i], blocks[1][1][i]};
  }
}

#endif

inline int8 load_int8(const int32_t* p) { return *reinterpret_cast<const int8*>(p); }
inline float8 splat8(float x) { return x - float8{}; }
// The second if either is NaN.
inline float8 max8(float8 a, float8 b) { return where(a > b, a, b); }

// The first `count` of 8 elements; the rest is zero and not read.
template <typename T>
[[gnu::noinline]] float8 load_some(const T* p, int64_t count) {
  T some[8] = {};
  for (int64_t c = 0; c < count; ++c) some[c] = p[c];
  return load8(some);
}

// Writes them. Inlined, or tiers would share the conversion.
template <typename T>
[[gnu::noinline, gnu::flatten]] void store_some(T* to, float8 v, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] = from_float<T>(v[i]);
}

// An 8 x 8 block of which `columns` are there, transposed; kFull says that all are, which keeps the
// block in registers.
template <bool kFull, typename T>
inline void load_block(const T* const (&rows)[8], int64_t at, int64_t columns, float8 (&v)[8]) {
#pragma GCC unroll 8
  for (int r = 0; r < 8; ++r) v[r] = kFull ? load8(rows[r] + at) : load_some(rows[r] + at, columns);
  transpose8(v);
}

// Calls body(c, count, v) for each block of up to 8 columns of 8 rows, v[i] holding column c + i.
template <typename T, typename Body>
inline void for_each_block(const T* const (&rows)[8], int64_t columns, Body body) {
  int64_t c = 0;
  float8 v[8];
  for (; c + 8 <= columns; c += 8) {
    load_block<true>(rows, c, 8, v);
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) body(c + i, v[i]);
  }
  if (c < columns) {
    load_block<false>(rows, c, columns - c, v);
    for (int i = 0; i < columns - c; ++i) body(c + i, v[i]);
  }
}

// Calls body(T{}) with the type that a FOVEA_* dtype names.
template <typename Body>
inline void with_type(int32_t dtype, Body body) {
  switch (dtype) {
    case FOVEA_FLOAT32:
      return body(float{});
    case FOVEA_FLOAT16:
      return body(float16{});
    default:
      return body(bfloat16{});
  }
}

// The same, where it may be FOVEA_FLOAT8_E4M3, too.
template <typename Body>
inline void with_query_type(int32_t dtype, Body body) {
  if (dtype == FOVEA_FLOAT8_E4M3) return body(float8_e4m3{});
  with_type(dtype, body);
}

// Brings a row near, a few rows before it is loaded or stored: where rows lie apart no processor
// foresees the next one. A backward pass over BSHD gains 4 to 8 %, over BHSD up to 2 %.
constexpr int kRowsAhead = 16;
template <typename T>
inline void prefetch_row(const T* row, int64_t columns) {
  const char* bytes = reinterpret_cast<const char*>(row);
  for (int64_t at = 0; at < columns * int64_t{sizeof(T)}; at += 64) __builtin_prefetch(bytes + at);
}

// Rows [j, j + 8) of `count`; those beyond are zeros.
template <typename T>
inline void gather_rows8(const T* from, int64_t stride, int j, int count, const T* (&rows)[8]) {
  static const T kZeros[1024] = {};
  for (int r = 0; r < 8; ++r) rows[r] = j + r < count ? from + (j + r) * stride : kZeros;
}

// Eight rows, transposed and scaled: to[c * to_stride + r] = rows[r][c] * scale.
template <typename T>
[[gnu::noinline]] void pack_rows8(const T* const (&rows)[8], int64_t columns, float scale,
                                  float* to, int64_t to_stride) {
  for_each_block(rows, columns,
                 [&](int64_t c, float8 column) { store8(to + c * to_stride, column * scale); });
}

// The way back: rows[r][c] = from[c * from_stride + r] for r < row_count.
template <typename T>
[[gnu::noinline]] void unpack_rows8(const float* from, int64_t from_stride, int64_t columns,
                                    T* const (&rows)[8], int row_count) {
  int64_t c = 0;
  float8 v[8];
  for (; c + 8 <= columns; c += 8) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) v[i] = load8(from + (c + i) * from_stride);
    transpose8(v);
#pragma GCC unroll 8
    for (int r = 0; r < 8; ++r) {
      if (r < row_count) store8(rows[r] + c, v[r]);
    }
  }
  for (; c < columns; ++c) {
    for (int r = 0; r < row_count; ++r) rows[r][c] = from_float<T>(from[c * from_stride + r]);
  }
}

// Rows as columns: to[c * to_stride + j] = from[j * stride + c], filled up with zeros to a whole
// vector.
template <typename T>
inline void pack_columns(const T* from, int64_t stride, int count, int64_t columns, float* to,
                         int64_t to_stride) {
  for (int j = 0; j < round_to_vectors(count); j += 8) {
    const T* rows[8];
    gather_rows8(from, stride, j, count, rows);
    for (int next = j + kRowsAhead; next < std::min(j + kRowsAhead + 8, count); ++next) {
      prefetch_row(from + next * stride, columns);
    }
    pack_rows8(rows, columns, 1.0f, to + j, to_stride);
  }
}

template <typename T>
[[gnu::noinline]] float dot(const T* a, const T* b, int64_t columns) {
  float8 sum = {};
  int64_t c = 0;
  for (; c + 8 <= columns; c += 8) sum += load8(a + c) * load8(b + c);
  if (c < columns) sum += load_some(a + c, columns - c) * load_some(b + c, columns - c);
  float total = 0;
  for (int lane = 0; lane < 8; ++lane) total += sum[lane];
  return total;
}

// One row, scaled and filled up with zeros to a whole vector.
template <typename T>
[[gnu::noinline]] void load_row(const T* from, int64_t columns, float scale, float* to) {
  int64_t c = 0;
  for (; c + 8 <= columns; c += 8) store8(to + c, load8(from + c) * scale);
  for (const int64_t end = round_to_vectors(columns); c < end; c += 8) {
    const int64_t left = columns - c;
    store8(to + c, left > 0 ? load_some(from + c, left) * scale : float8{});
  }
}

// As a type holds it.
template <typename T>
inline float8 rounded(float8 v) {
  if constexpr (std::is_same_v<T, float>) return v;
  T some[8];
  store8(some, v);
  return load8(some);
}

// The sum with another row, rounded to the type of the first, scaled and filled up likewise.
template <typename T>
[[gnu::noinline]] void load_sum(const T* from, const float* more, int64_t columns, float scale,
                                float* to) {
  int64_t c = 0;
  for (; c + 8 <= columns; c += 8) {
    store8(to + c, rounded<T>(load8(from + c) + load8(more + c)) * scale);
  }
  for (const int64_t end = round_to_vectors(columns); c < end; c += 8) {
    const int64_t left = std::max<int64_t>(columns - c, 0);
    store8(to + c, rounded<T>(load_some(from + c, left) + load_some(more + c, left)) * scale);
  }
}

// The way back, on top of what is there if `add`.
template <typename T>
[[gnu::noinline]] void store_row(const float* from, int64_t columns, float scale, bool add, T* to) {
  int64_t c = 0;
  for (; c + 8 <= columns; c += 8) {
    const float8 v = load8(from + c) * scale;
    store8(to + c, add ? load8(to + c) + v : v);
  }
  for (; c < columns; ++c) {
    const float v = from[c] * scale;
    to[c] = from_float<T>(add ? to_float(to[c]) + v : v);
  }
}

}  // namespace fovea::cpu::FOVEA_TIER
