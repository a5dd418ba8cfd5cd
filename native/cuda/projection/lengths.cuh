// Lengths of sequences, from device memory.
#pragma once

#include "cuda/projection/params.h"
#include "tile/memory.cuh"

namespace fovea::projection::cuda {

// Of a sequence: all of `longest` where there are no lengths, and what is there kept within it.
FOVEA_DEVICE int32_t length_of(const int32_t* lengths, int32_t batch, int32_t longest) {
  if (lengths == nullptr) return longest;
  const int32_t given = tile::load_global(lengths + batch);
  return given < 0 ? 0 : given > longest ? longest : given;
}

}  // namespace fovea::projection::cuda
