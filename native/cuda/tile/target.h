// One source, two compilers: nvcc makes GPU code of a kernel, a C++ compiler makes it run on the
// SIMT simulator. Every primitive of this folder has both meanings side by side; nothing outside it
// needs to know.
#pragma once

#include <cstdint>

#ifdef __CUDACC__

#define FOVEA_DEVICE __device__ __forceinline__
#define FOVEA_KERNEL __global__
#define FOVEA_LAUNCH_BOUNDS(threads, blocks) __launch_bounds__(threads, blocks)
#define FOVEA_UNROLL _Pragma("unroll")
#define FOVEA_NO_UNROLL _Pragma("unroll 1")
#define FOVEA_PRAGMA(text) _Pragma(#text)
#define FOVEA_UNROLL_BY(count) FOVEA_PRAGMA(unroll(count))
// The source position that simulator errors name, as a last parameter, and handed on.
#define FOVEA_WHERE
#define FOVEA_AND_WHERE
#define FOVEA_PASS_WHERE

#else

#include "sim/sim.h"

#define FOVEA_DEVICE inline
#define FOVEA_KERNEL
#define FOVEA_LAUNCH_BOUNDS(threads, blocks)
#define FOVEA_UNROLL
#define FOVEA_NO_UNROLL
#define FOVEA_UNROLL_BY(count)
#define FOVEA_WHERE ::fovea::sim::Where where = ::fovea::sim::Where::current()
#define FOVEA_AND_WHERE , FOVEA_WHERE
#define FOVEA_PASS_WHERE , where

#endif

namespace fovea::tile {

constexpr int kWarp = 32;

FOVEA_DEVICE uint32_t thread_index() {
#ifdef __CUDACC__
  return threadIdx.x;
#else
  return sim::thread_index();
#endif
}

FOVEA_DEVICE uint32_t block_index() {
#ifdef __CUDACC__
  return blockIdx.x;
#else
  return sim::block_index();
#endif
}

}  // namespace fovea::tile
