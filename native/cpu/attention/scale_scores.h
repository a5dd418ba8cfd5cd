// Scores of a panel, s[key][lane], multiplied.
#pragma once

#include "cpu/simd.h"

namespace fovea::attention::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// Multiplies scores of keys [begin, end) by scale_of(key) and raises `maximum` to each row's largest.
template <int kVectors, typename ScaleOf>
[[gnu::always_inline]] inline void scale_scores(float* s, int begin, int end, ScaleOf scale_of, float* maximum) {
  // Of so many keys apart: a maximum waits four cycles for the one before it.
  constexpr int kApart = kVectors == 1 ? 4 : 2;
  vfloat highest[kApart][kVectors];
  for (int i = 0; i < kApart; ++i) {
    for (int v = 0; v < kVectors; ++v) highest[i][v] = load(maximum + v * kLanes);
  }
  const auto scale = [&](int j, vfloat (&most)[kVectors]) {
    const vfloat by = scale_of(j);
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) {
      float* const at = s + (j * kVectors + v) * kLanes;
      const vfloat x = load(at) * by;
      store(at, x);
      most[v] = max(most[v], x);
    }
  };
  int j = begin;
  for (; j + kApart <= end; j += kApart) {
#pragma GCC unroll 4
    for (int i = 0; i < kApart; ++i) scale(j + i, highest[i]);
  }
  for (; j < end; ++j) scale(j, highest[0]);
  for (int v = 0; v < kVectors; ++v) {
    for (int i = 1; i < kApart; ++i) highest[0][v] = max(highest[0][v], highest[i][v]);
    store(maximum + v * kLanes, highest[0][v]);
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
