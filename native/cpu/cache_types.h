// Vectors and squares of the elements that caches of keys and values have, as float32.
#pragma once

#include "core/cache_types.h"
#include "cpu/vectors.h"

namespace fovea::cpu::FOVEA_TIER {

// Calls body(T{}) with the type of bytes that a FOVEA_* type names, or other() where it is none.
template <typename Body, typename Other>
inline void with_byte_type(int32_t dtype, Body body, Other other) {
  switch (dtype) {
    case FOVEA_INT8:
      return body(int8_t{});
    case FOVEA_INT4X2:
      return body(int4x2{});
    case FOVEA_FLOAT8_E4M3:
      return body(float8_e4m3{});
    default:
      return other();
  }
}

// Of all types that caches have.
template <typename Body>
inline void with_cache_type(int32_t dtype, Body body) {
  with_byte_type(dtype, body, [&] { with_type(dtype, body); });
}

// Of those that bfloat16 has all numbers of.
template <typename Body>
inline void with_tile_type(int32_t dtype, Body body) {
  with_byte_type(dtype, body, [&] { body(bfloat16{}); });
}

// Where column c of a row begins: c is even.
template <typename C>
inline const C* column(const char* row, int64_t c) {
  return reinterpret_cast<const C*>(row) + c / kValuesOf<C>;
}

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
#endif
  } else {
    return load8(at);
  }
}

// The first `count` of them; the rest is zero and not read.
template <typename C>
[[gnu::noinline]] float8 load_some_eight(const char* row, int64_t c, int64_t count) {
  C some[8] = {};
  std::memcpy(some, column<C>(row, c),
              size_t((count + kValuesOf<C> - 1) / kValuesOf<C>) * sizeof(C));
  return load_eight<C>(reinterpret_cast<const char*>(some), 0);
}

#if defined(__AVX512F__)

inline vfloat widened(__m512i v, int8_t) { return _mm512_cvtepi32_ps(v); }
// As a float of exponent bias 127; 0x7f is NaN. Of numbers below normal the exponent says one more, so that half of what
// is meant, and 2^-7, is there: as floats below normal, and multiplied, they took 20 times as long on an Intel core.
inline vfloat widened(__m512i v, float8_e4m3) {
  const __m512i magnitude = _mm512_and_si512(v, _mm512_set1_epi32(0x7f));
  const vfloat number =
      _mm512_castsi512_ps(_mm512_add_epi32(_mm512_slli_epi32(magnitude, 20), _mm512_set1_epi32(120 << 23)));
  const __mmask16 low = _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(8));
  const vfloat x = _mm512_mask_fmadd_ps(number, low, splat(2.0f), splat(-0x1p-6f));
  const __mmask16 nan = _mm512_cmpeq_epi32_mask(magnitude, _mm512_set1_epi32(0x7f));
  const __m512i bits = _mm512_mask_mov_epi32(_mm512_castps_si512(x), nan, _mm512_set1_epi32(0x7fc00000));
  // The sign, and all other bits of x.
  return _mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(_mm512_set1_epi32(INT32_MIN), _mm512_slli_epi32(v, 24), bits, 0xca));
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
    return widened(std::is_signed_v<C> ? _mm512_cvtepi8_epi32(raw) : _mm512_cvtepu8_epi32(raw),
                   C{});
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
  std::memcpy(some, column<C>(row, c),
              size_t((count + kValuesOf<C> - 1) / kValuesOf<C>) * sizeof(C));
  return load_lanes<C>(reinterpret_cast<const char*>(some), 0);
}

#if defined(__AVX512F__)

// Sixteen bytes of rows r, r + 4, r + 8 and r + 12, a quarter of a vector each; kHalf: eight.
template <bool kHalf = false>
inline __m512i load_quarters(const char* const* rows, int64_t at, int r) {
  const auto quarter = [&](int row) {
    const auto* const from = reinterpret_cast<const __m128i*>(rows[row] + at);
    return kHalf ? _mm_loadl_epi64(from) : _mm_loadu_si128(from);
  };
  __m512i t = _mm512_castsi128_si512(quarter(r));
  t = _mm512_inserti32x4(t, quarter(r + 4), 1);
  t = _mm512_inserti32x4(t, quarter(r + 8), 2);
  return _mm512_inserti32x4(t, quarter(r + 12), 3);
}

// Four columns of sixteen rows: quarter g of t[r] has those of row 4 g + r.
inline void transpose_quarters(const __m512i (&t)[4], vfloat* v) {
  const __m512i a0 = _mm512_unpacklo_epi32(t[0], t[1]), a1 = _mm512_unpackhi_epi32(t[0], t[1]);
  const __m512i a2 = _mm512_unpacklo_epi32(t[2], t[3]), a3 = _mm512_unpackhi_epi32(t[2], t[3]);
  v[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi64(a0, a2));
  v[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi64(a0, a2));
  v[2] = _mm512_castsi512_ps(_mm512_unpacklo_epi64(a1, a3));
  v[3] = _mm512_castsi512_ps(_mm512_unpackhi_epi64(a1, a3));
}

// Two columns of 16 bits that lie beside each other in each quarter, four rows of one and then of the other.
inline void widen_pair(__m512i pair, bfloat16, vfloat* v) {
  const __m512i zero = _mm512_setzero_si512();
  v[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(zero, pair));
  v[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(zero, pair));
}
inline void widen_pair(__m512i pair, float16, vfloat* v) {
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  const __m512i apart = _mm512_permutexvar_epi64(order, pair);
  v[0] = _mm512_cvtph_ps(_mm512_castsi512_si256(apart));
  v[1] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(apart, 1));
}

// Byte 4 k + i of each quarter in the lowest or the highest byte of its word i.
template <bool kHighest>
inline __m512i spread_bytes(__m512i quarters, int k) {
  const int none = -1;
  alignas(16) int8_t order[16];
  for (int i = 0; i < 16; ++i)
    order[i] = int8_t(i % 4 == (kHighest ? 3 : 0) ? 4 * k + i / 4 : none);
  return _mm512_shuffle_epi8(
      quarters, _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(order))));
}
inline vfloat widen_bytes(__m512i quarters, int k, int8_t) {
  return _mm512_cvtepi32_ps(_mm512_srai_epi32(spread_bytes<true>(quarters, k), 24));
}
inline vfloat widen_bytes(__m512i quarters, int k, int4x2) {
  return _mm512_cvtepi32_ps(
      _mm512_srai_epi32(_mm512_slli_epi32(spread_bytes<true>(quarters, k), 4), 28));
}
inline vfloat widen_bytes(__m512i quarters, int k, float8_e4m3 zero) {
  return widened(spread_bytes<false>(quarters, k), zero);
}

// Columns of sixteen rows, four at a time: of several sixteens of rows in turns, which keep in registers what they have
// read of columns that follow.
template <typename C>
class ColumnReader {
 public:
  // v[i] has column c + 4 quad + i of all rows: quads 0 to 3 in turn.
  [[gnu::always_inline]] void load(const char* const* rows, int64_t c, int quad, vfloat* v) {
    const int64_t at = c * int64_t{sizeof(C)} / kValuesOf<C>;
    if constexpr (sizeof(C) == 4) {
      load_four(rows, at + 16 * quad);
      transpose_quarters(read_, v);
    } else if constexpr (sizeof(C) == 2) {
      if (quad % 2 == 0) load_eight_columns(rows, at + 8 * quad);
      widen_pair(read_[quad % 2 * 2], C{}, v);
      widen_pair(read_[quad % 2 * 2 + 1], C{}, v + 2);
    } else {
      if (quad == 0) load_bytes(rows, at);
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) v[k] = widen_bytes(read_[quad], k, C{});
    }
  }

 private:
  [[gnu::always_inline]] void load_four(const char* const* rows, int64_t at) {
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) read_[r] = load_quarters<kValuesOf<C> == 2>(rows, at, r);
  }
  [[gnu::always_inline]] void load_eight_columns(const char* const* rows, int64_t at) {
    load_four(rows, at);
    const __m512i a0 = _mm512_unpacklo_epi16(read_[0], read_[1]), a1 = _mm512_unpackhi_epi16(read_[0], read_[1]);
    const __m512i a2 = _mm512_unpacklo_epi16(read_[2], read_[3]), a3 = _mm512_unpackhi_epi16(read_[2], read_[3]);
    read_[0] = _mm512_unpacklo_epi32(a0, a2), read_[1] = _mm512_unpackhi_epi32(a0, a2);
    read_[2] = _mm512_unpacklo_epi32(a1, a3), read_[3] = _mm512_unpackhi_epi32(a1, a3);
  }
  [[gnu::always_inline]] void load_bytes(const char* const* rows, int64_t at) {
    load_four(rows, at);
    if constexpr (kValuesOf<C> == 2) {
      const __m512i low = _mm512_set1_epi8(15);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        read_[r] = _mm512_unpacklo_epi8(_mm512_and_si512(read_[r], low),
                                        _mm512_and_si512(_mm512_srli_epi16(read_[r], 4), low));
      }
    }
    const __m512i a0 = _mm512_unpacklo_epi8(read_[0], read_[1]), a1 = _mm512_unpackhi_epi8(read_[0], read_[1]);
    const __m512i a2 = _mm512_unpacklo_epi8(read_[2], read_[3]), a3 = _mm512_unpackhi_epi8(read_[2], read_[3]);
    read_[0] = _mm512_unpacklo_epi16(a0, a2), read_[1] = _mm512_unpackhi_epi16(a0, a2);
    read_[2] = _mm512_unpacklo_epi16(a1, a3), read_[3] = _mm512_unpackhi_epi16(a1, a3);
  }

  __m512i read_[4];
};
constexpr int kReadersAtOnce = 2;  // that there are registers for

#else

template <typename C>
class ColumnReader {
 public:
  [[gnu::always_inline]] void load(const char* const* rows, int64_t c, int quad, vfloat* v) {
    if (quad == 0) {
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) read_[r] = load_eight<C>(rows[r], c);
      transpose8(read_);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) v[i] = vfloat(read_[4 * quad + i]);
  }

 private:
  float8 read_[8];
};
constexpr int kReadersAtOnce = 1;

#endif

// Columns [c, c + kLanes) of kLanes rows, v[i] has column c + i of all of them.
template <typename C>
inline void load_whole_square(const char* const* rows, int64_t c, vfloat (&v)[kLanes]) {
  ColumnReader<C> reader;
#pragma GCC unroll 4
  for (int quad = 0; quad < kLanes / 4; ++quad) reader.load(rows, c, quad, v + 4 * quad);
}

// The first of them; the rest is zero and not read.
template <typename C>
[[gnu::noinline]] void load_some_square(const char* const* rows, int64_t c, int columns,
                                        vfloat (&v)[kLanes]) {
  alignas(64) float part[kLanes][kLanes];
  const char* lanes[kLanes];
  for (int r = 0; r < kLanes; ++r) {
    store(part[r], load_some_lanes<C>(rows[r], c, columns));
    lanes[r] = reinterpret_cast<const char*>(part[r]);
  }
  load_whole_square<float>(lanes, 0, v);
}

// As round_within and round_to_e4m3 of core/cache_types.h.
inline vint rounded_within(vfloat x, float most) {
  const vfloat within = min(max(x, splat(-most)), splat(most)), apart = splat(0x1.8p23f);
  return (bits(within + apart) - bits(apart)) & (x == x);
}
inline vint quantized(vfloat x, int8_t) { return rounded_within(x, kMostOf<int8_t>); }
inline vint quantized(vfloat x, int4x2) { return rounded_within(x, kMostOf<int4x2>); }
inline vint quantized(vfloat x, float8_e4m3) {
  const vfloat size = min(magnitude(x), splat(kMostOf<float8_e4m3>)), apart = splat(0x1p14f);
  const vint high = ((bits(size) + splat(0x7ffff) + ((bits(size) >> 20) & splat(1))) >> 20) - splat(120 << 3);
  const vint low = bits(size + apart) - bits(apart);
  const vint is_low = size < splat(0x1p-6f), is_number = x == x;
  const vint number = (is_low & low) | (~is_low & high) | ((bits(x) >> 24) & splat(0x80));
  return (is_number & number) | (~is_number & splat(0x7f));
}

// The lowest byte of each lane.
template <typename C>
inline void store_codes(C* to, vint v) {
  static_assert(sizeof(C) == 1 && kValuesOf<C> == 1);
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(__m512i(v)));
#elif defined(__AVX2__)
  const __m256i order = _mm256_set1_epi32(0x0c080400);
  const __m256i bytes = _mm256_shuffle_epi8(__m256i(v), order);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to),
                   _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
#else
  uint8_t some[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) some[lane] = uint8_t(v[lane]);
  std::memcpy(to, some, sizeof some);
#endif
}
// The lower halves of those bytes, two to a byte.
inline void store_codes(int4x2* to, vint v) {
#if defined(__AVX512F__)
  const __m512i low = _mm512_and_si512(__m512i(v), _mm512_set1_epi64(15));
  const __m512i high = _mm512_and_si512(_mm512_srli_epi64(__m512i(v), 28), _mm512_set1_epi64(0xf0));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm512_cvtepi64_epi8(_mm512_or_si512(low, high)));
#elif defined(__AVX2__)
  const __m256i low = _mm256_and_si256(__m256i(v), _mm256_set1_epi64x(15));
  const __m256i high = _mm256_and_si256(_mm256_srli_epi64(__m256i(v), 28), _mm256_set1_epi64x(0xf0));
  const __m256i bytes = _mm256_shuffle_epi8(_mm256_or_si256(low, high), _mm256_set1_epi16(0x0800));
  const __m128i all = _mm_unpacklo_epi16(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  const int32_t raw = _mm_cvtsi128_si32(all);
  std::memcpy(to, &raw, sizeof raw);
#else
  uint8_t some[kLanes / 2];
  for (int i = 0; i < kLanes / 2; ++i) some[i] = uint8_t((v[2 * i] & 15) | (v[2 * i + 1] & 15) << 4);
  std::memcpy(to, some, sizeof some);
#endif
}

// A vector of columns from c on, rounded to nearest.
template <typename C>
inline void store_lanes(char* row, int64_t c, vfloat v) {
  C* const to = reinterpret_cast<C*>(row) + c / kValuesOf<C>;
  if constexpr (sizeof(C) == 1) {
    store_codes(to, quantized(v, C{}));
  } else {
    store_vector(to, v);
  }
}

// The first `count` of them; of two that share a byte both.
template <typename C>
[[gnu::noinline]] void store_some_lanes(char* row, int64_t c, vfloat v, int64_t count) {
  C some[kLanes];
  store_lanes<C>(reinterpret_cast<char*>(some), 0, v);
  std::memcpy(reinterpret_cast<C*>(row) + c / kValuesOf<C>, some,
              size_t((count + kValuesOf<C> - 1) / kValuesOf<C>) * sizeof(C));
}

}  // namespace fovea::cpu::FOVEA_TIER
