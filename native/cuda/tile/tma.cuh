// Tiles by the bulk tensor copy engine (TMA). sm_90.
#pragma once

#include "core/tensor_map.h"
#include "tile/barrier.cuh"

namespace fovea::tile {

// A parameter of a kernel that is FOVEA_GRID_CONSTANT: the engine reads it from where it lies.
#ifdef __CUDACC__
#define FOVEA_GRID_CONSTANT const __grid_constant__
#else
#define FOVEA_GRID_CONSTANT const
#endif

// Copies the map's box that begins at `start`, elements from the innermost dimension on, to shared memory; its bytes
// arrive at `barrier`. What lies outside of the tensor is zero. By one thread.
template <int kRank>
FOVEA_DEVICE void tma_load(uint32_t to, const TensorMap& map, Barrier barrier, const int32_t (&start)[kRank]
                           FOVEA_AND_WHERE) {
  static_assert(kRank >= 2 && kRank <= 5);
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
  } else if constexpr (kRank == 4) {
    asm volatile(FOVEA_TMA_LOAD("4d", "%3, %4, %5, %6")::"r"(to), "l"(&map), "r"(barrier.address), "r"(start[0]),
                 "r"(start[1]), "r"(start[2]), "r"(start[3])
                 : "memory");
  } else {
    asm volatile(FOVEA_TMA_LOAD("5d", "%3, %4, %5, %6, %7")::"r"(to), "l"(&map), "r"(barrier.address),
                 "r"(start[0]), "r"(start[1]), "r"(start[2]), "r"(start[3]), "r"(start[4])
                 : "memory");
  }
#undef FOVEA_TMA_LOAD
#else
  sim::bulk_load(to, map, start, barrier.address, where);
#endif
}

// Copies `bytes`, a multiple of 16, from one address to the other, multiples of 16. By one thread.
FOVEA_DEVICE void bulk_load(uint32_t to, const void* from, uint32_t bytes, Barrier barrier FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(barrier.address)
               : "memory");
#else
  sim::bulk_load(to, from, bytes, barrier.address, where);
#endif
}

// Adds float32 elements of shared memory, which were written before a fence_async(), to what is there. As bulk_load();
// the thread commits and waits.
FOVEA_DEVICE void bulk_add(float* to, uint32_t from, uint32_t bytes FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(to), "r"(from),
               "r"(bytes)
               : "memory");
#else
  sim::bulk_add(to, from, bytes, where);
#endif
}

// The other way: from shared memory, which was written before a fence_async(), to the map's box at `start`, but for
// what lies outside of the tensor. By one thread, which commits and waits.
template <int kRank>
FOVEA_DEVICE void tma_store(const TensorMap& map, const int32_t (&start)[kRank], uint32_t from FOVEA_AND_WHERE) {
  static_assert(kRank >= 2 && kRank <= 4);
#ifdef __CUDACC__
#define FOVEA_TMA_STORE(instruction)                                                                          \
  if constexpr (kRank == 2) {                                                                                 \
    asm volatile(instruction ".2d.global.shared::cta" FOVEA_TMA_TILE " [%0, {%2, %3}], [%1];" ::"l"(&map), "r"(from), \
                 "r"(start[0]), "r"(start[1])                                                                 \
                 : "memory");                                                                                 \
  } else if constexpr (kRank == 3) {                                                                          \
    asm volatile(instruction ".3d.global.shared::cta" FOVEA_TMA_TILE " [%0, {%2, %3, %4}], [%1];" ::"l"(&map),  \
                 "r"(from), "r"(start[0]), "r"(start[1]), "r"(start[2])                                       \
                 : "memory");                                                                                 \
  } else {                                                                                                    \
    asm volatile(instruction ".4d.global.shared::cta" FOVEA_TMA_TILE " [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map), \
                 "r"(from), "r"(start[0]), "r"(start[1]), "r"(start[2]), "r"(start[3])                        \
                 : "memory");                                                                                 \
  }
#define FOVEA_TMA_TILE ".bulk_group"
  FOVEA_TMA_STORE("cp.async.bulk.tensor")
#undef FOVEA_TMA_TILE
#else
  sim::bulk_store(map, start, from, false, where);
#endif
}

// The same, float32 elements added to what is there.
template <int kRank>
FOVEA_DEVICE void tma_add(const TensorMap& map, const int32_t (&start)[kRank], uint32_t from FOVEA_AND_WHERE) {
  static_assert(kRank >= 2 && kRank <= 4);
#ifdef __CUDACC__
#define FOVEA_TMA_TILE ".add.bulk_group"
  FOVEA_TMA_STORE("cp.reduce.async.bulk.tensor")
#undef FOVEA_TMA_TILE
#undef FOVEA_TMA_STORE
#else
  sim::bulk_store(map, start, from, true, where);
#endif
}

// Closes the group of this thread's stores since the last one.
FOVEA_DEVICE void tma_commit(FOVEA_WHERE) {
#ifdef __CUDACC__
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
#else
  sim::bulk_store_commit(where);
#endif
}

// Waits until shared memory of all but `Pending` groups was read and may be written again.
template <int Pending>
FOVEA_DEVICE void tma_wait_read(FOVEA_WHERE) {
#ifdef __CUDACC__
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
#else
  sim::bulk_store_wait(Pending, where);
#endif
}

}  // namespace fovea::tile
