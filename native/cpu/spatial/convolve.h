// Convolutions of a row of pixels, which are in the SIMD lanes; and what they are of: rows padded by zeros.
#pragma once

#include "cpu/image/rows.h"

namespace fovea::spatial::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// Rows of a map, from one of the image on; `pad` zeros lie before each, and zeros behind it.
struct Map {
  float* at;
  int64_t stride, first;

  float* row(int64_t h) const { return at + (h - first) * stride; }
};

// sum + the sum of weight_ij map(h + i, w + j) for the pixels w of a vector, in four parts.
inline vfloat convolve_vector(const Map& map, int64_t h, int64_t w, const float* weight, int64_t size,
                              vfloat sum) {
  vfloat sums[4] = {sum};
  for (int64_t i = 0; i < size; ++i) {
    const float* const row = map.row(h + i) + w;
    int64_t j = 0;
    for (; j + 4 <= size; j += 4, weight += 4) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) sums[k] = fma(load_vector(row + j + k), splat(weight[k]), sums[k]);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 3; ++k) {
      if (j + k < size) sums[k] = fma(load_vector(row + j + k), splat(weight[k]), sums[k]);
    }
    weight += size - j;
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// <dz, map> of two rows of `count` pixels and zeros behind those of dz.
[[gnu::noinline]] inline float correlate(const float* dz, const float* map, int64_t count) {
  vfloat sum{};
  for (int64_t w = 0; w < count; w += kLanes) sum = fma(load_vector(dz + w), load_vector(map + w), sum);
  float total = 0;
  for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
  return total;
}

}  // namespace fovea::spatial::cpu::FOVEA_TIER
