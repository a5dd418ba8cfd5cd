// The kernels of ceilings.cu. Each thread leaves what it computed, each block its cycles.
#pragma once

#include <cstdint>

#include "ceilings_wgmma.cuh"
#include "tile/barrier.cuh"
#include "tile/math.cuh"
#include "tile/mma.cuh"
#include "tile/tma.cuh"
#include "tile/wgmma.cuh"

namespace fovea {

constexpr int kThreads = 512;

struct Out {
  std::uint32_t* results;
  long long* cycles;
};

class Timer {
 public:
  __device__ Timer() {
    __syncthreads();
    start_ = clock64();
  }
  __device__ void stop(const Out& out, std::uint32_t result) const {
    __syncthreads();
    if (threadIdx.x == 0) out.cycles[blockIdx.x] = clock64() - start_;
    out.results[blockIdx.x * blockDim.x + threadIdx.x] = result;
  }

 private:
  long long start_;
};

// `one` is a register full of ones, so every sum is the number of products in it.
template <class Factor>
__global__ __launch_bounds__(kThreads) void mma_kernel(int rounds, std::uint32_t one, Out out) {
  float sums[2][4][4] = {};
  std::uint32_t a[8], b[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) a[i] = b[i] = one;
  const Timer timer;
#pragma unroll 4
  for (int round = 0; round < rounds; ++round) tile::mma<Factor>(sums, 0, a, b);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 32; ++i) sum += sums[i / 16][i / 4 % 4][i % 4];
  timer.stop(out, __float_as_uint(sum / 32));
}
constexpr int kMmasOfRound = 8;

constexpr int kGroups = 2;  // warpgroups, each with products of its own
constexpr int kRowBytes = 128;

template <int kN, bool kShared>
__global__ __launch_bounds__(128 * kGroups) void wgmma_kernel(int rounds, std::uint32_t one,
                                                              Out out) {
  auto* const words = reinterpret_cast<std::uint32_t*>(tile::dynamic_shared());
  for (int i = threadIdx.x; i < (64 * kGroups + kN) * kRowBytes / 4; i += 128 * kGroups)
    words[i] = one;
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  // The same in a warp, and ptxas knows: descriptors in uniform registers.
  const std::uint32_t base = __shfl_sync(~0u, tile::shared_address(words), 0);
  const int group = __shfl_sync(~0u, threadIdx.x / 128, 0);
  const auto operand = [&](int row) {
    return tile::descriptor(base + row * kRowBytes, 0, 8 * kRowBytes);
  };
  const std::uint64_t b = operand(64 * kGroups);
  __syncthreads();
  std::uint32_t a[4];  // loaded: copies of `one` ptxas would make anew before each product
#pragma unroll
  for (int i = 0; i < 4; ++i) a[i] = tile::load_shared(base + 4 * i);
  const Timer timer;
  float2 sums;
  if constexpr (kShared) {
    sums = Products<kN>::of_shared(rounds, operand(64 * group), b);
  } else {
    sums = Products<kN>::of_registers(rounds, a, b);
  }
  timer.stop(out, __float_as_uint((sums.x + sums.y) / 2));
}

// Pieces of 16 bytes, as many as 32 lanes take at once, so that eight lanes find `kWays` of them in
// the same banks.
template <int kWays>
__device__ inline std::uint32_t piece(std::uint32_t lane) {
  if constexpr (kWays == 1) return lane;
  return lane % 4 + lane / 4 % 2 * 8 + lane / 8 % 2 * 4 + lane / 16 * 16;
}

constexpr int kPieces = 8;  // of a thread
constexpr int kBlockBytes = kThreads * kPieces * 16;

template <int kWays>
__global__ __launch_bounds__(kThreads) void ldmatrix_kernel(int rounds, Out out) {
  auto* const words = reinterpret_cast<std::uint32_t*>(tile::dynamic_shared());
  for (int i = threadIdx.x; i < kBlockBytes / 4; i += kThreads) words[i] = i;
  const std::uint32_t first = threadIdx.x / 32 * 32 * kPieces + piece<kWays>(threadIdx.x % 32);
  std::uint32_t addresses[kPieces];
#pragma unroll
  for (int i = 0; i < kPieces; ++i)
    addresses[i] = tile::shared_address(words) + (first + 32 * i) * 16;
  std::uint32_t sum = 0;
  const Timer timer;
#pragma unroll 1
  for (int round = 0; round < rounds; ++round) {
    std::uint32_t registers[4 * kPieces];
    tile::load_matrices(registers, addresses);
#pragma unroll
    for (int i = 0; i < 4 * kPieces; ++i) sum += registers[i];
  }
  timer.stop(out, sum);
}

// From a part of `from` that is the block's own and stays in L2.
template <int kWays>
__global__ __launch_bounds__(kThreads) void cp_async_kernel(int rounds, const uint4* from,
                                                            Out out) {
  auto* const words = reinterpret_cast<std::uint32_t*>(tile::dynamic_shared());
  const std::uint32_t warp = threadIdx.x / 32 * 32 * kPieces, lane = threadIdx.x % 32;
  const std::uint32_t to = tile::shared_address(words) + (warp + piece<kWays>(lane)) * 16;
  from += blockIdx.x * kThreads * kPieces + warp + lane;
  const Timer timer;
#pragma unroll 1
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int i = 0; i < kPieces; ++i) tile::copy_async<16>(to + 32 * 16 * i, from + 32 * i, 16);
    tile::copy_async_commit();
    tile::copy_async_wait<1>();
  }
  tile::copy_async_wait<0>();
  __syncthreads();
  std::uint32_t sum = 0;
  for (int i = threadIdx.x; i < kBlockBytes / 4; i += kThreads) sum += words[i];
  timer.stop(out, sum);
}

constexpr int kChains = 8;  // of dependent instructions in a thread
constexpr int kLinks = 16;  // in a round

enum class Chain { kFma, kAdd, kFmaAndAdd, kExp2 };

// Towards 2 by x / 2 + 1; Fibonacci's numbers from 1, 1; towards the x that is 2^-x.
template <Chain kChain>
__global__ __launch_bounds__(kThreads) void chain_kernel(int rounds, float half, float one,
                                                         Out out) {
  float x[kChains];
  std::uint32_t y[kChains];
#pragma unroll
  for (int i = 0; i < kChains; ++i) x[i] = y[i] = one;
  const Timer timer;
#pragma unroll 1
  for (int round = 0; round < rounds; ++round) {
#pragma unroll
    for (int link = 0; link < kLinks; ++link) {
#pragma unroll
      for (int i = 0; i < kChains; ++i) {
        const bool fma = kChain == Chain::kFma || (kChain == Chain::kFmaAndAdd && i < kChains / 2);
        if constexpr (kChain == Chain::kExp2) {
          x[i] = tile::exp2_approx(-x[i]);
        } else if (fma) {
          asm volatile("fma.rn.f32 %0, %0, %1, %2;" : "+f"(x[i]) : "f"(half), "f"(one));
        } else {
          asm volatile("add.u32 %0, %0, %1;" : "+r"(y[i]) : "r"(y[i ^ 1]));
        }
      }
    }
  }
  float sum = 0;
  std::uint32_t total = 0;
#pragma unroll
  for (int i = 0; i < kChains; ++i) sum += x[i], total += y[i];
  timer.stop(out, __float_as_uint(sum / kChains) + total);
}

// Ones to the floats of another block's part in every round: in the end each float has `rounds`.
template <int kWidth>
__global__ __launch_bounds__(kThreads) void red_kernel(int rounds, float* sums, Out out) {
  unsigned part = blockIdx.x;
  const Timer timer;
#pragma unroll 1
  for (int round = 0; round < rounds; ++round) {
    float* const to = sums + part * kThreads * 4 + threadIdx.x * kWidth;
    part = part + 1 == gridDim.x ? 0 : part + 1;
    if constexpr (kWidth == 4) {
      asm volatile("red.global.add.v4.f32 [%0], {%1, %1, %1, %1};" ::"l"(to), "f"(1.0f) : "memory");
    } else {
#pragma unroll
      for (int i = 0; i < 4; ++i) tile::add_global(to + i * kThreads, 1.0f);
    }
  }
  timer.stop(out, 0);
}

// Boxes of the copy engine, `kStages` of them under way; box `first + round * step` of the matrix in
// each round, or always the first where the step is 0.
template <int kStages>
__global__ __launch_bounds__(kThreads) void tma_kernel(int rounds, int box_rows, int step,
                                                       const __grid_constant__ TensorMap map,
                                                       Out out) {
  unsigned char* const tiles = tile::dynamic_shared();
  const std::uint32_t bytes = box_rows * kRowBytes;
  const std::uint32_t base = tile::shared_base();
  const auto arrived = [&](int stage) {
    return tile::Barrier{base + kStages * bytes + static_cast<std::uint32_t>(stage) * 8};
  };
  const auto begin = [&](int round) {
    const std::uint32_t stage = round % kStages;
    arrived(stage).arrive_expecting(bytes);
    tile::tma_load(base + stage * bytes, map, arrived(stage),
                   {0, (static_cast<int>(blockIdx.x) + round * step) * box_rows});
  };
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kStages; ++stage) arrived(stage).init(1);
    tile::Barrier::publish();
  }
  const Timer timer;
  if (threadIdx.x == 0) {
    for (int round = 0; round < kStages; ++round) begin(round);
    for (int round = 0; round < rounds; ++round) {
      arrived(round % kStages).wait(round / kStages % 2);
      if (round + kStages < rounds) begin(round + kStages);
    }
  }
  __syncthreads();
  std::uint32_t sum = 0;
  for (int i = threadIdx.x; i < int(kStages * bytes / 4); i += kThreads)
    sum += reinterpret_cast<const std::uint32_t*>(tiles)[i];
  timer.stop(out, sum);
}

__host__ __device__ inline std::uint32_t word(size_t index) {
  return static_cast<std::uint32_t>(index) * 2654435761u >> 3;
}

static __global__ void fill_kernel(std::uint32_t* words, size_t count) {
  for (size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
       i += size_t{gridDim.x} * blockDim.x)
    words[i] = word(i);
}

constexpr int kCopiesOfThread = 4;

static __global__ __launch_bounds__(kThreads) void copy_kernel(const uint4* from, uint4* to) {
  uint4 held[kCopiesOfThread];
  from += size_t{blockIdx.x} * kThreads * kCopiesOfThread + threadIdx.x;
  to += size_t{blockIdx.x} * kThreads * kCopiesOfThread + threadIdx.x;
#pragma unroll
  for (int i = 0; i < kCopiesOfThread; ++i) held[i] = from[i * kThreads];
#pragma unroll
  for (int i = 0; i < kCopiesOfThread; ++i) to[i * kThreads] = held[i];
}

static __global__ void count_kernel(const std::uint32_t* words, size_t count,
                                    std::uint32_t* as_filled) {
  std::uint32_t own = 0;
  for (size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
       i += size_t{gridDim.x} * blockDim.x)
    own += words[i] == word(i);
  atomicAdd(as_filled, own);
}

}  // namespace fovea
