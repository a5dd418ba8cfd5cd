#pragma once

#include "core/constants.h"
#include "tile/math.cuh"

namespace fovea::cuda {

// 1 / (1 + e^-z) by whichever power is below 1: 0 and 1 at the infinities, NaN where z is.
FOVEA_DEVICE float sigmoid(float z) {
  const float power = tile::exp2_approx(__builtin_fabsf(z) * -kLog2e);
  const float high = tile::reciprocal_approx(1 + power);
  return z >= 0 ? high : z == z ? power * high : z;
}

// Its derivative, without the difference that would cancel.
FOVEA_DEVICE float sigmoid_slope(float z) {
  const float power = tile::exp2_approx(__builtin_fabsf(z) * -kLog2e);
  const float high = tile::reciprocal_approx(1 + power);
  return power * high * high;
}

}  // namespace fovea::cuda
