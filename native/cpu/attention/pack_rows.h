// Rows of keys and values into the panels that forward_tile.h multiplies.
#pragma once

#include "cpu/attention/rows.h"
#include "cpu/cache_types.h"
#include "cpu/pair_rows.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// Keys into groups of kGroup: to[((j / kGroup) * columns + c) * kGroup + j % kGroup]. There are rows up to a multiple
// of eight.
template <typename C>
[[gnu::noinline]] void pack_keys(const char* const* rows, int count, int64_t columns, float* to) {
  for (int j = 0; j < count; j += 8) {
    float* group = to + int64_t(j / kGroup) * columns * kGroup;
    float* const second = group + columns * kGroup;
    const auto put = [&](int64_t c, float8 keys) {
      if constexpr (kGroup == 8) {
        store8(group + c * 8, keys);
      } else {
        store_low4(group + c * 4, keys);
        store_high4(second + c * 4, keys);
      }
    };
    const char* from[8];
    std::copy_n(rows + j, 8, from);
    float8 v[8];
    int64_t c = 0;
    for (; c + 8 <= columns; c += 8) {
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) v[r] = load_eight<C>(from[r], c);
      transpose8(v);
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) put(c + i, v[i]);
    }
    if (c < columns) {
      for (int r = 0; r < 8; ++r) v[r] = load_some_eight<C>(from[r], c, columns - c);
      transpose8(v);
      for (int i = 0; i < columns - c; ++i) put(c + i, v[i]);
    }
  }
}

// Values into columns of kGroup: to[((c / kGroup) * tile + j) * kGroup + c % kGroup]. The last
// columns are filled up with zeros.
template <typename C>
[[gnu::noinline]] void pack_values(const char* const* values, int count, int64_t columns,
                                   int64_t tile, float* to) {
  // Four rows at a time, so that what is stored together fills a cache line.
  for (int j = 0; j < count; j += 4) {
    const int rows = count - j < 4 ? count - j : 4;
    for (int64_t c = 0; c < columns; c += 8) {
      float* group = to + ((c / kGroup) * tile + j) * kGroup;
      const bool full = c + 8 <= columns;
      const bool second = c + 4 < columns;
      float8 v[4];
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        if (r >= rows) break;
        v[r] = full ? load_eight<C>(values[j + r], c)
                    : load_some_eight<C>(values[j + r], c, columns - c);
      }
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        if (r >= rows) break;
        if constexpr (kGroup == 8) {
          store8(group + r * 8, v[r]);
        } else {
          store_low4(group + r * 4, v[r]);
          if (second) store_high4(group + (tile + r) * 4, v[r]);
        }
      }
    }
  }
}

#if defined(__AVX512BF16__) && !defined(FOVEA_TILES)

// Values as pack_values has them, keys in pairs: to[((c / kGroup) * tile + j / 2) * kGroup + c % kGroup]. There are
// rows up to a multiple of four.
[[gnu::noinline]] inline void pack_value_pairs(const char* const* values, int count, int64_t columns, int64_t tile,
                                               float* to) {
  static_assert(kLanes == 2 * kGroup);
  for (int j = 0; j < count; j += 4) {
    for (int64_t c = 0; c < columns; c += kLanes) {
      float* const group = to + (c / kGroup * tile + j / 2) * kGroup;
      const int64_t there = columns - c;
#pragma GCC unroll 2
      for (int r = 0; r < 4; r += 2) {
        const vfloat v = there >= kLanes ? load_joined(values[j + r], values[j + r + 1], c)
                                         : load_some_joined(values[j + r], values[j + r + 1], c, there);
        store8(group + r / 2 * kGroup, float8(_mm512_castps512_ps256(v)));
        if (there > kGroup) store8(group + (tile + r / 2) * kGroup, float8(_mm512_extractf32x8_ps(v, 1)));
      }
    }
  }
}

#endif

}  // namespace fovea::attention::cpu::FOVEA_TIER
