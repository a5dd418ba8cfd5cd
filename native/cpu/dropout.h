// Which keys of a row dropout keeps.
#pragma once

#include <cstring>

#include "core/philox.h"
#include "cpu/simd.h"

namespace fovea::cpu::FOVEA_TIER {

// All bits of kept[k] are set where key j + k of query i and `head`, counted over the batch, is kept; see
// fovea.h. A tile starts at a multiple of 32 keys, the span of four calls of the generator.
template <int kMostKeys>
inline void draw_kept(const fovea_call& call, uint32_t threshold, int64_t i, int64_t head,
                      int64_t j, int count, int32_t* kept) {
  constexpr int kCalls = kMostKeys / 8;
  uint32_t x[4][kCalls];
  for (int n = 0; n < kCalls; ++n) {
    x[0][n] = uint32_t(j / 8 + n);
    x[1][n] = uint32_t(i);
    x[2][n] = uint32_t(head);
    x[3][n] = call.dropout_offset;
  }
  philox4x32_10(x, call.dropout_seed);
  // Word w of a span's four calls holds, half after half, its keys 8 w to 8 w + 7.
  uint16_t draws[kMostKeys];
  for (int n = 0; n < kCalls; ++n) std::memcpy(draws + n * 8, &x[n % 4][n / 4 * 4], 16);
  for (int k = 0; k < count; ++k) kept[k] = draws[k] < threshold ? 0 : -1;
}

}  // namespace fovea::cpu::FOVEA_TIER
