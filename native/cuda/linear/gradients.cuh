// What the sweeps of the backward pass have alike.
#pragma once

#include "cuda/linear/params.h"
#include "tile/memory.cuh"
#include "tile/warp.cuh"

namespace fovea::linear::cuda {

// What dout is multiplied by as the gradient of a sum of values: of that row of the workspace, if out is
// divided by its sum of weights.
FOVEA_DEVICE float dout_factor(const BackwardParams& b, int64_t query_row) {
  return b.forward.spec.normalised ? tile::load_global(b.inverses + query_row)
                                   : b.forward.spec.scale;
}

// The sum over a warp, as the part of a key that its panel has.
FOVEA_DEVICE void store_part(float* parts, int32_t blocks, int64_t key_row, int32_t panel,
                             float x) {
  x = tile::warp_sum(x);
  if (tile::thread_index() % tile::kWarp != 0 || panel >= blocks) return;
  tile::store_global(parts + key_row * blocks + panel, x);
}

}  // namespace fovea::linear::cuda
