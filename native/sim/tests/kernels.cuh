// Kernels that put one primitive each to the test. They are compiled like the product's, by either
// compiler; what they must give is written down on the host.
#pragma once

#include "tile/memory.cuh"
#include "tile/mma.cuh"
#include "tile/shared.cuh"
#include "tile/warp.cuh"

namespace fovea::test {

using namespace fovea::tile;

// to[mask][thread] = from[thread of the lane xored with mask], for masks 0 to 31.
template <int kThreads, typename T>
FOVEA_KERNEL void shuffle_kernel(const T* from, T* to) {
  const uint32_t t = thread_index();
  const T x = load_global(from + t);
  for (uint32_t mask = 0; mask < 32; ++mask) {
    store_global(to + mask * kThreads + t, shuffle_xor(x, mask));
  }
}

// to[thread] = from[thread of lane (5 thread + 3) % 32].
template <typename T>
FOVEA_KERNEL void shuffle_from_kernel(const T* from, T* to) {
  const uint32_t t = thread_index();
  store_global(to + t, shuffle(load_global(from + t), (5 * t + 3) % 32));
}

// Of groups of four threads: maximum, then sum.
template <int kThreads>
FOVEA_KERNEL void quad_kernel(const float* from, float* to) {
  const uint32_t t = thread_index();
  const float x = load_global(from + t);
  store_global(to + t, quad_max(x));
  store_global(to + kThreads + t, quad_sum(x));
}

// Two groups of copies, read after a wait for the first and after one for both, each by the thread
// that is 37 further. Of copy t, the first valid[t] bytes come from `from`. 128 threads.
template <int kBytes>
FOVEA_KERNEL void copy_kernel(const unsigned char* from, const uint32_t* valid, uint32_t* to) {
  constexpr uint32_t kThreads = 128, kGroup = kThreads * kBytes, kWords = kBytes / 4;
  const uint32_t t = thread_index(), other = (t + 37) % kThreads;
  const uint32_t base = shared_base();
  for (uint32_t group = 0; group < 2; ++group) {
    copy_async<kBytes>(base + group * kGroup + t * kBytes, from + group * kGroup + t * kBytes,
                       load_global(valid + group * kThreads + t));
    copy_async_commit();
  }
  const auto read = [&](uint32_t group) {
    for (uint32_t w = 0; w < kWords; ++w) {
      const uint32_t word = (group * kThreads + other) * kWords + w;
      store_global(to + word, load_shared(base + 4 * word));
    }
  };
  copy_async_wait<1>();
  sync_block();
  read(0);
  copy_async_wait<0>();
  sync_block();
  read(1);
}

// 64 rows of 16 bytes, written as halves; row r of a matrix comes from `rows`. 64 threads.
template <bool kTransposed>
FOVEA_KERNEL void load_matrices_kernel(const uint16_t* from, const uint32_t* rows, uint32_t* to) {
  const uint32_t t = thread_index(), lane = t % 32;
  for (uint32_t i = 0; i < 8; ++i) {
    store_shared(shared_base() + 16 * t + 2 * i, load_global(from + 8 * t + i));
  }
  sync_block();
  const uint32_t addresses[2] = {shared_base() + 16 * load_global(rows + lane),
                                 shared_base() + 16 * load_global(rows + 32 + lane)};
  uint32_t registers[8];
  if constexpr (kTransposed) {
    load_matrices<2, true>(registers, addresses);
  } else {
    load_matrices<2>(registers, addresses);
  }
  for (uint32_t i = 0; i < 8; ++i) store_global(to + 8 * t + i, registers[i]);
}

// Fragments come and go as they are: a[kM][4][32], b[kN][2][32], c[kM][kN + kFirst][4][32]. One warp.
template <typename Factor, int kM, int kN, int kFirst>
FOVEA_KERNEL void mma_kernel(const uint32_t* from_a, const uint32_t* from_b, float* from_c) {
  const uint32_t lane = thread_index();
  uint32_t a[4 * kM], b[2 * kN];
  float c[kM][kN + kFirst][4];
  FOVEA_UNROLL
  for (int i = 0; i < 4 * kM; ++i) a[i] = load_global(from_a + i * 32 + lane);
  FOVEA_UNROLL
  for (int i = 0; i < 2 * kN; ++i) b[i] = load_global(from_b + i * 32 + lane);
  FOVEA_UNROLL
  for (int i = 0; i < 4 * kM * (kN + kFirst); ++i) {
    c[i / 4 / (kN + kFirst)][i / 4 % (kN + kFirst)][i % 4] = load_global(from_c + i * 32 + lane);
  }
  mma<Factor>(c, kFirst, a, b);
  FOVEA_UNROLL
  for (int i = 0; i < 4 * kM * (kN + kFirst); ++i) {
    store_global(from_c + i * 32 + lane, c[i / 4 / (kN + kFirst)][i / 4 % (kN + kFirst)][i % 4]);
  }
}

}  // namespace fovea::test
