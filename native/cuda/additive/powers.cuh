// e^(2 (q + b)) and e^(2 k), the factors of additive attention's scores. See cuda/README.md.
#pragma once

#include "tile/math.cuh"

namespace fovea::additive::cuda {

// A query with its bias or a key beyond kFarthest is raised to its power instead, within float32. Unless
// both are beyond kFar, that changes no score: tanh is 1 or -1. Where both are, a score is computed apart,
// term by term.
constexpr float kFarthest = 43, kFar = 34;

// e^(2 u) grows no further: four denominators have a product, and tanh is 1 to 2e-9.
constexpr float kMostPower = 0x1p30f;

// A number, and what it is too coarse for.
struct Sum {
  float high, low;
};

// Knuth's sum of two.
FOVEA_DEVICE Sum add(float x, float y) {
  const float sum = x + y, of_y = sum - x;
  const float low = (x - (sum - of_y)) + (y - of_y);
  return {sum, low == low ? low : 0.0f};  // of infinities there is none
}

// e^(2 x) within the limits, to 8.5e-8 of itself. By hand: ex2.approx errs by up to 2 ulp, 2.4e-7, and these
// thirteen operations are once for each row and key, not once for each pair. The remainder of the
// reduction is exact.
FOVEA_DEVICE float power_of(Sum x) {
  // Not by minimum(), which would make NaN a number.
  const float high = x.high > kFarthest ? kFarthest : x.high < -kFarthest ? -kFarthest : x.high;
  constexpr float kMagic = 0x1.8p23f + 127.0f;
  const float shifted = tile::fused_multiply_add(high, 2.8853900817779268f, kMagic);
  const float n = shifted - kMagic;
  float f = tile::fused_multiply_add(n, -0.693359375f, high + high);
  f = tile::fused_multiply_add(n, 2.12194440e-4f, f) + (x.low + x.low);
  float p = 1.9875691500e-4f;  // Cephes: e^f = 1 + f + f^2 p(f) on [-ln2 / 2, ln2 / 2]
  p = tile::fused_multiply_add(p, f, 1.3981999507e-3f);
  p = tile::fused_multiply_add(p, f, 8.3334519073e-3f);
  p = tile::fused_multiply_add(p, f, 4.1665795894e-2f);
  p = tile::fused_multiply_add(p, f, 1.6666665459e-1f);
  p = tile::fused_multiply_add(p, f, 5.0000001201e-1f);
  return (tile::fused_multiply_add(p, f * f, f) + 1.0f) *
         tile::as_float(tile::as_bits(shifted) << 23);
}

}  // namespace fovea::additive::cuda
