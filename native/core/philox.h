// Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): the one
// generator of dropout, so that every backend draws the same bits.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/everywhere.h"

namespace fovea {

// Ten rounds over `kCount` counters that share their key; word w of counter n is in x[w][n].
template <int kCount>
FOVEA_EVERYWHERE inline void philox4x32_10(uint32_t (&x)[4][kCount], uint64_t seed) {
  uint32_t key0 = uint32_t(seed), key1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int n = 0; n < kCount; ++n) {
      const uint64_t product0 = uint64_t{0xD2511F53} * x[0][n];
      const uint64_t product1 = uint64_t{0xCD9E8D57} * x[2][n];
      x[0][n] = uint32_t(product1 >> 32) ^ x[1][n] ^ key0;
      x[2][n] = uint32_t(product0 >> 32) ^ x[3][n] ^ key1;
      x[1][n] = uint32_t(product1);
      x[3][n] = uint32_t(product0);
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
}

// A 16-bit draw below this is dropped.
inline uint32_t dropout_threshold(float probability) {
  return uint32_t(std::lround(65536.0 * double(probability)));
}

// What the others are multiplied by.
inline float dropout_scale(uint32_t threshold) { return 65536.0f / float(65536 - threshold); }

}  // namespace fovea
