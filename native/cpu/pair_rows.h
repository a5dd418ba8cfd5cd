// Rows as products take them: float32, or pairs of bfloat16.
#pragma once

#include "cpu/cache_types.h"
#include "cpu/product.h"

namespace fovea::cpu::FOVEA_TIER {

// What is read for a row that is not there.
alignas(64) inline constexpr char kZeroRow[4096] = {};

// Rows [begin, end) of zeros, of so many elements.
inline void clear_rows(const Panel<float>& panel, int64_t begin, int64_t end, int64_t columns) {
  for (int64_t r = begin; r < end; ++r) std::fill_n(panel.at + r * panel.row, columns, 0.0f);
}

#if defined(__AVX512BF16__)

// Elements [c, c + kLanes) of a row of bfloat16; the first `count` of them, the rest zero and not read.
inline __m256i load_words(const char* row, int64_t c) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + 2 * c));
}
inline __m256i load_some_words(const char* row, int64_t c, int64_t count) {
  return _mm256_maskz_loadu_epi16(__mmask16((1u << count) - 1), row + 2 * c);
}

// Those of two rows as pairs.
inline vfloat load_joined(const char* first, const char* second, int64_t c) {
  return pairs_of(load_words(first, c), load_words(second, c));
}
inline vfloat load_some_joined(const char* first, const char* second, int64_t c, int64_t count) {
  return pairs_of(load_some_words(first, c, count), load_some_words(second, c, count));
}

// Eight rows of so many pairs, transposed: to[c * to_stride + r].
[[gnu::noinline]] inline void pack_row_pairs(const char* const (&rows)[8], int64_t pairs, float* to,
                                             int64_t to_stride) {
  for (int64_t c = 0; c < pairs; c += 8) {
    const int64_t count = std::min<int64_t>(8, pairs - c);
    float8 v[8];
    for (int r = 0; r < 8; ++r) {
      v[r] = count == 8 ? load_eight<float>(rows[r], c) : load_some_eight<float>(rows[r], c, count);
    }
    transpose8(v);
    for (int i = 0; i < count; ++i) store8(to + (c + i) * to_stride, v[i]);
  }
}

// Two rows as one of pairs, filled up with zeros to a whole vector.
[[gnu::noinline]] inline void join_two(const char* first, const char* second, int64_t columns, float* to) {
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) store(to + c, load_joined(first, second, c));
  if (c < columns) store(to + c, load_some_joined(first, second, c, columns - c));
}

// Rows [begin, begin + count) of queries or of gradients of out, as they lie and joined; a row that is_dead is zero.
// Fetches ahead, of the tile that follows too.
template <typename Rows, typename IsDead>
void load_pair_rows(const Rows& rows, const void* from, const int64_t (&stride)[3], int64_t begin, int count,
                    int64_t columns, IsDead is_dead, const Panel<float>& to, const Panel<float>& joined) {
  const auto* const elements = static_cast<const bfloat16*>(from);
  const int64_t end = rows.sequence().query_length * rows.group();
  const char* before = nullptr;
  rows.for_each_row(begin, begin + count, [&](int64_t row, int64_t i, int64_t head) {
    if (row + kRowsAhead < end) prefetch_row(elements + rows.query_offset(stride, row + kRowsAhead), columns);
    const int64_t r = row - begin;
    float* const here = to.at + r * to.row;
    if (is_dead(row)) {
      std::fill_n(here, to.row, 0.0f);
    } else {
      std::memcpy(here, elements + rows.query_offset(stride, i, head), size_t(columns) * sizeof(bfloat16));
      std::fill(here + columns / 2, here + round_to_steps(columns / 2), 0.0f);
    }
    const char* const words = reinterpret_cast<const char*>(here);
    if (r % 2 != 0) join_two(before, words, columns, joined.at + r / 2 * joined.row);
    before = words;
  });
  if (count % 2 != 0) join_two(before, kZeroRow, columns, joined.at + count / 2 * joined.row);
  clear_rows(joined, (count + 1) / 2, round_to_steps((count + 1) / 2), round_to_vectors(columns));
}

// Rows of float32, rounded and joined.
[[gnu::noinline]] inline void join_rows(const Panel<float>& from, int rows, int columns, const Panel<float>& to) {
  for (int r = 0; r < rows; r += 2) {
    const float* const row = from.at + r * from.row;
    for (int64_t c = 0; c < columns; c += kLanes) {
      const vfloat second = r + 1 < rows ? load(row + from.row + c) : vfloat{};
      store(to.at + r / 2 * to.row + c, round_to_pairs(load(row + c), second));
    }
  }
}

// Rows of float32, rounded.
[[gnu::noinline]] inline void round_rows(const Panel<float>& from, int rows, int columns, const Panel<float>& to) {
  for (int r = 0; r < rows; ++r) {
    const float* const row = from.at + r * from.row;
    for (int64_t c = 0; c < columns; c += 2 * kLanes) {
      const vfloat second = c + kLanes < columns ? load(row + c + kLanes) : vfloat{};
      store(to.at + r * to.row + c / 2, reinterpret_cast<vfloat>(_mm512_cvtne2ps_pbh(second, load(row + c))));
    }
  }
}

#endif

#if defined(FOVEA_TILES)

// Elements of a row that a tile has of it.
constexpr int kWords = 2 * kLanes;
inline __mmask32 first_words(int64_t count) { return count >= kWords ? ~0u : (1u << count) - 1; }

// So many codes of a cache as bfloat16, which has all their numbers.
inline __m512i as_words(__m256i codes, int8_t) {
  // Beside 2^23 or 2^15 a byte with its highest bit turned is the last digits of a float, 128 more than what is meant.
  const __m512i two = _mm512_cvtepu16_epi32(codes);
  constexpr int kTurned = 0x6a;  // of the bits in a mask, turned by others
  const __m512 even = _mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(two, _mm512_set1_epi32(0xff), _mm512_set1_epi32(0x4b000080), kTurned));
  const __m512 odd = _mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(two, _mm512_set1_epi32(0xff00), _mm512_set1_epi32(0x47008000), kTurned));
  return _mm512_or_si512(_mm512_srli_epi32(_mm512_castps_si512(even - splat(0x1p23f + 128)), 16),
                         _mm512_castps_si512(odd - splat(0x1p15f + 128)));
}
inline __m512i as_words(__m256i codes, float8_e4m3) {
  // Those below normal, 2^-9 times their code.
  alignas(64) static constexpr uint16_t kLow[kWords] = {0x0000, 0x3b00, 0x3b80, 0x3bc0,
                                                        0x3c00, 0x3c20, 0x3c40, 0x3c60};
  const __m512i code = _mm512_cvtepu8_epi16(codes), size = _mm512_and_si512(code, _mm512_set1_epi16(0x7f));
  const __m512i normal = _mm512_add_epi16(_mm512_slli_epi16(size, 4), _mm512_set1_epi16(120 << 7));
  __m512i x = _mm512_mask_permutexvar_epi16(normal, _mm512_cmplt_epi16_mask(size, _mm512_set1_epi16(8)), size,
                                            _mm512_load_si512(kLow));
  x = _mm512_mask_mov_epi16(x, _mm512_cmpeq_epi16_mask(size, _mm512_set1_epi16(0x7f)), _mm512_set1_epi16(0x7fc0));
  // The sign, and all other bits of x.
  return _mm512_ternarylogic_epi32(_mm512_set1_epi16(int16_t(0x8000)), _mm512_slli_epi16(code, 8), x, 0xca);
}
inline __m512i as_words(__m128i codes, int4x2) {
  // By the lowest five bits of a word, the last of which is the other half's.
  alignas(64) static constexpr uint16_t kNumbers[kWords] = {
      0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0,
      0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80,
      0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0,
      0xc100, 0xc0e0, 0xc0c0, 0xc0a0, 0xc080, 0xc040, 0xc000, 0xbf80
  };
  const __m512i byte = _mm512_cvtepu8_epi32(codes);
  return _mm512_permutexvar_epi16(_mm512_or_si512(byte, _mm512_slli_epi32(byte, 12)), _mm512_load_si512(kNumbers));
}

// Elements [c, c + kWords) of a row as they lie: the first `count` of them, the rest zero and not read. c is even.
template <typename C>
inline auto load_codes(const char* row, int64_t c, int64_t count) {
  const C* const at = column<C>(row, c);
  if constexpr (sizeof(C) == 2) {
    return _mm512_maskz_loadu_epi16(first_words(count), at);
  } else if constexpr (kValuesOf<C> == 2) {
    return _mm_maskz_loadu_epi8(__mmask16(first_words((count + 1) / 2)), at);
  } else {
    return _mm256_maskz_loadu_epi8(first_words(count), at);
  }
}
template <typename C>
inline __m512i load_wide(const char* row, int64_t c, int64_t count) {
  if constexpr (sizeof(C) == 2) {
    return load_codes<C>(row, c, count);
  } else {
    return as_words(load_codes<C>(row, c, count), C{});
  }
}

// Those of two rows as pairs: of the first sixteen columns, and of the others.
template <typename C>
inline void load_joined_wide(const char* first, const char* second, int64_t c, int64_t count, vfloat& low,
                             vfloat& high) {
  auto a = load_codes<C>(first, c, count), b = load_codes<C>(second, c, count);
  __m512i pairs, others;
  if constexpr (sizeof(C) == 2) {
    // So that what unpacking leaves apart comes in order.
    const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
    a = _mm512_permutexvar_epi64(order, a), b = _mm512_permutexvar_epi64(order, b);
    pairs = _mm512_unpacklo_epi16(a, b), others = _mm512_unpackhi_epi16(a, b);
  } else if constexpr (kValuesOf<C> == 2) {
    const __m128i lower = _mm_set1_epi8(15);
    const __m128i even = _mm_ternarylogic_epi32(lower, a, _mm_slli_epi16(b, 4), 0xca);
    const __m128i odd = _mm_ternarylogic_epi32(lower, _mm_srli_epi16(a, 4), b, 0xca);
    pairs = as_words(_mm_unpacklo_epi8(even, odd), C{}), others = as_words(_mm_unpackhi_epi8(even, odd), C{});
  } else {
    a = _mm256_permute4x64_epi64(a, 0xd8), b = _mm256_permute4x64_epi64(b, 0xd8);
    pairs = as_words(_mm256_unpacklo_epi8(a, b), C{}), others = as_words(_mm256_unpackhi_epi8(a, b), C{});
  }
  low = from_bits(vint(pairs)), high = from_bits(vint(others));
}

// Sixteen vectors as sixteen others: lane c of v[r] becomes lane r of v[c].
inline void transpose_square(vfloat (&v)[16]) {
  __m512i quads[4][4];
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
    vfloat four[4];
    const __m512i t[4] = {_mm512_castps_si512(v[4 * q]), _mm512_castps_si512(v[4 * q + 1]),
                          _mm512_castps_si512(v[4 * q + 2]), _mm512_castps_si512(v[4 * q + 3])};
    transpose_quarters(t, four);  // quarter g of four[i]: column 4 g + i of rows 4 q to 4 q + 3
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) quads[i][q] = _mm512_castps_si512(four[i]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const __m512i low01 = _mm512_shuffle_i32x4(quads[i][0], quads[i][1], 0x88);  // quarters 0, 2 of each
    const __m512i high01 = _mm512_shuffle_i32x4(quads[i][0], quads[i][1], 0xdd);
    const __m512i low23 = _mm512_shuffle_i32x4(quads[i][2], quads[i][3], 0x88);
    const __m512i high23 = _mm512_shuffle_i32x4(quads[i][2], quads[i][3], 0xdd);
    v[i] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(low01, low23, 0x88));        // quarter 0
    v[8 + i] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(low01, low23, 0xdd));    // 2
    v[4 + i] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(high01, high23, 0x88));  // 1
    v[12 + i] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(high01, high23, 0xdd)); // 3
  }
}

// Rows of float32, rounded, as columns of pairs: to.at[c * to.row + r / 2], up to whole tiles.
[[gnu::noinline]] inline void join_columns(const Panel<float>& from, int rows, int columns, const Panel<float>& to) {
  for (int64_t c = 0; c < columns; c += kLanes) {
    for (int r = 0; r < rows; r += 2 * kTilePairs) {
      vfloat v[kTilePairs];
#pragma GCC unroll 16
      for (int p = 0; p < kTilePairs; ++p) {
        const float* const row = from.at + (r + 2 * p) * from.row + c;
        const vfloat first = r + 2 * p < rows ? load(row) : vfloat{};
        v[p] = round_to_pairs(first, r + 2 * p + 1 < rows ? load(row + from.row) : vfloat{});
      }
      transpose_square(v);
#pragma GCC unroll 16
      for (int i = 0; i < kTileRows; ++i) store(to.at + (c + i) * to.row + r / 2, v[i]);
    }
  }
}

#endif

// Rows as columns, as pack_columns has them, in steps of a product.
template <typename T>
inline void pack_steps(const T* from, int64_t stride, int count, int64_t columns, float* to, int64_t to_stride) {
#if defined(__AVX512BF16__)
  for (int j = 0; j < round_to_vectors(count); j += 8) {
    for (int next = j + kRowsAhead; next < std::min(j + kRowsAhead + 8, count); ++next) {
      prefetch_row(from + next * stride, columns);
    }
    const char* rows[8];
    for (int r = 0; r < 8; ++r) {
      rows[r] = j + r < count ? reinterpret_cast<const char*>(from + (j + r) * stride) : kZeroRow;
    }
    pack_row_pairs(rows, columns / 2, to + j, to_stride);
  }
  clear_rows({to, to_stride}, columns / 2, round_to_steps(columns / 2), round_to_vectors(count));
#else
  pack_columns(from, stride, count, columns, to, to_stride);
#endif
}

// Rows one behind another, the second factors of sums over them, in steps of a product.
template <typename T>
inline void load_steps(const T* from, int64_t stride, int count, int64_t columns, const Panel<float>& to) {
#if defined(__AVX512BF16__)
  for (int k = 0; k < count; k += 2) {
    const auto* const first = reinterpret_cast<const char*>(from + k * stride);
    const auto* const second = reinterpret_cast<const char*>(from + (k + 1) * stride);
    join_two(first, k + 1 < count ? second : kZeroRow, columns, to.at + k / 2 * to.row);
  }
  clear_rows(to, (count + 1) / 2, round_to_steps((count + 1) / 2), round_to_vectors(columns));
#else
  for (int k = 0; k < count; ++k) load_row(from + k * stride, columns, 1.0f, to.at + k * to.row);
#endif
}

}  // namespace fovea::cpu::FOVEA_TIER
