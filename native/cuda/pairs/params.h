// What kernels whose scores are no product of matrices share in what their backward is given.
#pragma once

#include "cuda/pairs/tiles.h"
#include "cuda/softmax/params.h"

namespace fovea::pairs::cuda {

using namespace fovea::cuda;

struct RowStatistics {
  // In the workspace, by row: the logarithm of base 2 of its sum, as a large part and what is left, and
  // <dout, out>.
  float* base;
  float* rest;
  float* delta;

  int32_t chunks;     // of kChunk elements that a tile is cut into
  int32_t row_tiles;  // of each pair
};

}  // namespace fovea::pairs::cuda
