// Tiles by the bulk tensor copy engine (TMA). sm_90.
#pragma once

#ifdef __CUDACC__
#include <cuda.h>
#endif

#include "tile/barrier.cuh"

namespace fovea::tile {

// A parameter of a kernel that is FOVEA_GRID_CONSTANT: the engine reads it from where it lies.
#ifdef __CUDACC__
using TensorMap = CUtensorMap;
#define FOVEA_GRID_CONSTANT const __grid_constant__
#else
using TensorMap = sim::TensorMap;
#define FOVEA_GRID_CONSTANT const
#endif

// Copies the map's box that begins at `start`, elements from the innermost dimension on, to shared memory; its bytes
// arrive at `barrier`. What lies outside of the tensor is zero. By one thread.
template <int kRank>
FOVEA_DEVICE void tma_load(uint32_t to, const TensorMap& map, Barrier barrier, const int32_t (&start)[kRank]
                           FOVEA_AND_WHERE) {
  static_assert(kRank >= 2 && kRank <= 4);
#ifdef __CUDACC__
#define FOVEA_TMA_LOAD(dimensions, coordinates)                                                              \
  "cp.async.bulk.tensor." dimensions ".shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {" \
  coordinates "}], [%2];"
  if constexpr (kRank == 2) {
    asm volatile(FOVEA_TMA_LOAD("2d", "%3, %4")::"r"(to), "l"(&map), "r"(barrier.address), "r"(start[0]),
                 "r"(start[1])
                 : "memory");
  } else if constexpr (kRank == 3) {
    asm volatile(FOVEA_TMA_LOAD("3d", "%3, %4, %5")::"r"(to), "l"(&map), "r"(barrier.address), "r"(start[0]),
                 "r"(start[1]), "r"(start[2])
                 : "memory");
  } else {
    asm volatile(FOVEA_TMA_LOAD("4d", "%3, %4, %5, %6")::"r"(to), "l"(&map), "r"(barrier.address), "r"(start[0]),
                 "r"(start[1]), "r"(start[2]), "r"(start[3])
                 : "memory");
  }
#undef FOVEA_TMA_LOAD
#else
  sim::bulk_load(to, map, start, barrier.address, where);
#endif
}

}  // namespace fovea::tile
