// The gradients of a backward tile's scores, and what they are multiplied by for those of its rows and keys.
#pragma once

#include "cuda/additive/scores.cuh"
#include "cuda/pairs/backward_tile.cuh"

namespace fovea::additive::cuda {

using BackwardScores = GradientScores<Scores<BackwardTile>, BackwardParams>;

// What a tile of rows adds to dbias of one of its heads; to dweight, behind it.
FOVEA_DEVICE float* sums_of(const BackwardParams& b, uint32_t batch, uint32_t key_head,
                            int32_t tile, int32_t slot) {
  const AdditiveParams& p = b.forward;
  const int64_t pair = int64_t{batch} * p.key_heads + key_head;
  return b.sums + ((pair * b.row_tiles + tile) * p.heads.value + slot) * 2 * p.head_dim;
}

// From factors q and k of a tanh t: r = (1 - t) / 2 = 1 / (1 + e^(2 u)), and e^(2 u) r^2 = (1 - t^2) / 4, right
// to 12 u of itself; a reciprocal each, since sharing one takes as long. Never NaN, which reaches
// gradients through those of scores alone: what is masked there has no part in them.
struct Slope {
  float r, power_r;  // slope = power_r * r

  FOVEA_DEVICE Slope(float q, float k) {
    const float power = tile::minimum(q * k, kMostPower);
    r = tile::reciprocal_approx(power + 1.0f);
    power_r = power * r;
  }
};

}  // namespace fovea::additive::cuda
