// What the threads of a warp or a block do together.
#pragma once

#include "tile/math.cuh"

namespace fovea::tile {

// The value of the thread whose lane differs in `lane_mask`.
FOVEA_DEVICE float shuffle_xor(float value, uint32_t lane_mask FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  return __shfl_xor_sync(0xffffffffu, value, lane_mask);
#else
  return as_float(sim::shuffle_xor(as_bits(value), lane_mask, where));
#endif
}

FOVEA_DEVICE int32_t shuffle_xor(int32_t value, uint32_t lane_mask FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  return __shfl_xor_sync(0xffffffffu, value, lane_mask);
#else
  return int32_t(sim::shuffle_xor(uint32_t(value), lane_mask, where));
#endif
}

FOVEA_DEVICE double shuffle_xor(double value, uint32_t lane_mask FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  return __shfl_xor_sync(0xffffffffu, value, lane_mask);
#else
  const uint64_t bits = as_bits(value);
  const uint64_t low = sim::shuffle_xor(uint32_t(bits), lane_mask, where);
  const uint64_t high = sim::shuffle_xor(uint32_t(bits >> 32), lane_mask, where);
  return as_double(low | high << 32);
#endif
}

// The value of the thread with that lane.
FOVEA_DEVICE uint64_t shuffle(uint64_t value, uint32_t lane FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  return __shfl_sync(0xffffffffu, (unsigned long long)value, int(lane));
#else
  const uint64_t low = sim::shuffle(uint32_t(value), lane, where);
  const uint64_t high = sim::shuffle(uint32_t(value >> 32), lane, where);
  return low | high << 32;
#endif
}

FOVEA_DEVICE float shuffle(float value, uint32_t lane FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  return __shfl_sync(0xffffffffu, value, int(lane));
#else
  return as_float(sim::shuffle(as_bits(value), lane, where));
#endif
}

// x, which all lanes have alike, but the compiler does not know: what follows from it is computed once for a warp.
FOVEA_DEVICE uint32_t uniform(uint32_t x) {
#ifdef __CUDACC__
  return __shfl_sync(0xffffffffu, x, 0);
#else
  return x;
#endif
}

// Over the four threads that hold one row of a product's sums.
FOVEA_DEVICE float quad_max(float value FOVEA_AND_WHERE) {
  value = maximum(value, shuffle_xor(value, 1 FOVEA_PASS_WHERE));
  return maximum(value, shuffle_xor(value, 2 FOVEA_PASS_WHERE));
}

FOVEA_DEVICE float quad_sum(float value FOVEA_AND_WHERE) {
  value += shuffle_xor(value, 1 FOVEA_PASS_WHERE);
  return value + shuffle_xor(value, 2 FOVEA_PASS_WHERE);
}

FOVEA_DEVICE float warp_max(float value FOVEA_AND_WHERE) {
  FOVEA_UNROLL
  for (uint32_t mask = 16; mask > 0; mask /= 2) {
    value = maximum(value, shuffle_xor(value, mask FOVEA_PASS_WHERE));
  }
  return value;
}

// Over the warp, in the same order for every thread; of a float or a double.
template <typename T>
FOVEA_DEVICE T warp_sum(T value FOVEA_AND_WHERE) {
  FOVEA_UNROLL
  for (uint32_t mask = 16; mask > 0; mask /= 2) {
    value += shuffle_xor(value, mask FOVEA_PASS_WHERE);
  }
  return value;
}

// Whether it holds for any thread of the warp.
FOVEA_DEVICE bool any(bool predicate FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  return __any_sync(0xffffffffu, predicate);
#else
  return sim::any(predicate, where);
#endif
}

// A bit for each lane: whether it holds there.
FOVEA_DEVICE uint32_t ballot(bool predicate FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  return __ballot_sync(0xffffffffu, predicate);
#else
  return sim::ballot(predicate, where);
#endif
}

// Orders the memory of the warp.
FOVEA_DEVICE void sync_warp(FOVEA_WHERE) {
#ifdef __CUDACC__
  __syncwarp();
#else
  sim::sync_warp(where);
#endif
}

// Orders the shared memory of the whole block: what was written before is read after.
FOVEA_DEVICE void sync_block(FOVEA_WHERE) {
#ifdef __CUDACC__
  __syncthreads();
#else
  sim::sync_block(where);
#endif
}

// The same for `threads` of it that meet at one of the barriers 1 to 15: whole warps, those that only arrive included.
FOVEA_DEVICE void sync_threads(uint32_t barrier, uint32_t threads FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
#else
  sim::barrier_sync(barrier, threads, where);
#endif
}

// Without waiting for the others.
FOVEA_DEVICE void arrive_threads(uint32_t barrier, uint32_t threads FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
#else
  sim::barrier_arrive(barrier, threads, where);
#endif
}

}  // namespace fovea::tile
