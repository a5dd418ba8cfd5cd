// Tiles by the bulk tensor copy engine (TMA). sm_90.
#pragma once

#include <cuda.h>

#include "tile/barrier.cuh"
#include "tile/shared.cuh"

namespace fovea::tile {

// Copies the map's box that starts at (column, row) into shared memory; its bytes arrive at `barrier`. By one thread.
// The map must be a __grid_constant__ parameter: the engine reads it from where it lies.
__device__ __forceinline__ void tma_load(void* destination, const CUtensorMap& map,
                                         Barrier& barrier, int column, int row) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, "
      "%4}], [%2];" ::"r"(shared_address(destination)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(column), "r"(row)
      : "memory");
}

}  // namespace fovea::tile
