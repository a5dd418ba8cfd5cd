#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>

#include "cuda_error.h"
#include "probe.h"
#include "tensor_map.h"
#include "tile/barrier.cuh"
#include "tile/mma.cuh"
#include "tile/shared.cuh"
#include "tile/tma.cuh"
#include "tile/wgmma.cuh"

namespace fovea {
namespace {

using tile::Major;

__global__ void copy_kernel(const unsigned char* src, unsigned char* dst, size_t vectors,
                            size_t bytes) {
  const size_t thread = size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const size_t threads = size_t{gridDim.x} * blockDim.x;
  for (size_t i = thread; i < vectors; i += threads)
    reinterpret_cast<uint4*>(dst)[i] = reinterpret_cast<const uint4*>(src)[i];
  for (size_t i = vectors * sizeof(uint4) + thread; i < bytes; i += threads) dst[i] = src[i];
}

// Columns `column` and `column` + 1 of a row of bfloat16, as one register of an operand.
__device__ __forceinline__ std::uint32_t load_pair(const std::uint16_t* matrix, int columns,
                                                   int row, int column) {
  return *reinterpret_cast<const std::uint32_t*>(matrix + row * columns + column);
}

// 16 rows from `row` and 16 columns from `column`, as tile::mma holds its a.
__device__ __forceinline__ void load_operand(std::uint32_t (&a)[4], const std::uint16_t* matrix,
                                             int columns, int row, int column) {
  row += threadIdx.x % 32 / 4;
  column += threadIdx.x % 4 * 2;
  a[0] = load_pair(matrix, columns, row, column);
  a[1] = load_pair(matrix, columns, row + 8, column);
  a[2] = load_pair(matrix, columns, row, column + 8);
  a[3] = load_pair(matrix, columns, row + 8, column + 8);
}

// 16 rows from `row` and 8 columns from `column`, as tile::mma holds its c.
__device__ __forceinline__ void store_sums(float* matrix, int columns, int row, int column,
                                           const float* sums) {
  row += threadIdx.x % 32 / 4;
  column += threadIdx.x % 4 * 2;
  *reinterpret_cast<float2*>(matrix + row * columns + column) = {sums[0], sums[1]};
  *reinterpret_cast<float2*>(matrix + (row + 8) * columns + column) = {sums[2], sums[3]};
}

__global__ void mma_kernel(const std::uint16_t* a, const std::uint16_t* b, float* c) {
  std::uint32_t rows[4];
  load_operand(rows, a, 16, 0, 0);
  const int row = threadIdx.x / 4;
  const int column = threadIdx.x % 4 * 2;
  const std::uint32_t columns[2] = {load_pair(b, 16, row, column),
                                    load_pair(b, 16, row, column + 8)};
  float sums[1][1][4] = {};
  tile::mma<bfloat16>(sums, 0, rows, columns);
  store_sums(c, 8, 0, 0, sums[0][0]);
}

constexpr int kM = 64, kN = 128, kK = 64;  // of the wgmma products
constexpr std::uint32_t kRowBytes = 128;   // of a box: 64 columns
constexpr std::uint32_t kABytes = kM * kRowBytes;
constexpr std::uint32_t kBBytes = kN * kK * 2;
constexpr std::uint32_t kSharedBytes = kABytes + kBBytes + sizeof(std::uint64_t);  // and a barrier

template <int Product>
__global__ __launch_bounds__(128) void wgmma_kernel(const __grid_constant__ TensorMap a_map,
                                                    const __grid_constant__ TensorMap b_map,
                                                    const std::uint16_t* a, float* c) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL  // the host launches it nowhere else
  constexpr bool kScores = Product == FOVEA_PROBE_SCORES;
  const std::uint32_t a_tile = tile::shared_base(), b_tile = a_tile + kABytes;
  const tile::Barrier loaded = {b_tile + kBBytes};

  if (threadIdx.x == 0) {
    loaded.init(1);
    tile::Barrier::publish();
    loaded.arrive_expecting(kScores ? kABytes + kBBytes : kBBytes);
    tile::tma_load(b_tile, b_map, loaded, {0, 0});
    if constexpr (kScores) {
      tile::tma_load(a_tile, a_map, loaded, {0, 0});
    } else {
      tile::tma_load(b_tile + kBBytes / 2, b_map, loaded, {64, 0});  // the other half of the columns
    }
  }
  __syncthreads();  // nobody waits on a barrier that is not initialised
  loaded.wait(0);

  constexpr int kStep = 16;  // of k, in one instruction
  const int row = threadIdx.x / 32 * 16;
  float sums[kM * kN / 128] = {};
  std::uint32_t operand[kK / kStep][4];
  if constexpr (!kScores) {
#pragma unroll
    for (int i = 0; i < kK / kStep; ++i) load_operand(operand[i], a, kK, row, i * kStep);
  }
  tile::wgmma_fence();
#pragma unroll
  for (int i = 0; i < kK / kStep; ++i) {
    if constexpr (kScores) {
      const std::uint32_t step = i * kStep * 2;  // along the rows
      tile::wgmma<bfloat16, Major::kK, Major::kK>(sums, tile::descriptor(a_tile + step, 0, 8 * kRowBytes),
                                                  tile::descriptor(b_tile + step, 0, 8 * kRowBytes), true);
    } else {
      const std::uint32_t step = i * kStep * kRowBytes;  // down the rows
      tile::wgmma<bfloat16, Major::kMN>(sums, operand[i],
                                        tile::descriptor(b_tile + step, kBBytes / 2, 8 * kRowBytes), true);
    }
  }
  tile::wgmma_commit();
  tile::wgmma_wait<0>(sums);
#pragma unroll
  for (int i = 0; i < kN / 8; ++i) store_sums(c, kN, row, 8 * i, sums + 4 * i);
#endif
}

template <class... Parameters, class... Arguments>
cudaError_t launch(void (*kernel)(Parameters...), unsigned blocks, unsigned threads,
                   size_t shared_bytes, void* stream, Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream);
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

bool aligned(const void* pointer, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

int invalid(const char* text, char* error, size_t error_size) {
  std::snprintf(error, error_size, "%s", text);
  return FOVEA_INVALID_ARGUMENT;
}

}  // namespace
}  // namespace fovea

using namespace fovea;

int fovea_cuda_probe_device(int* sm_count, int* cc_major, int* cc_minor, int* smem_optin,
                            char* error, size_t error_size) {
  int device;
  FOVEA_CHECK_CUDA(cudaGetDevice(&device));
  FOVEA_CHECK_CUDA(cudaDeviceGetAttribute(sm_count, cudaDevAttrMultiProcessorCount, device));
  FOVEA_CHECK_CUDA(cudaDeviceGetAttribute(cc_major, cudaDevAttrComputeCapabilityMajor, device));
  FOVEA_CHECK_CUDA(cudaDeviceGetAttribute(cc_minor, cudaDevAttrComputeCapabilityMinor, device));
  FOVEA_CHECK_CUDA(
      cudaDeviceGetAttribute(smem_optin, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  return FOVEA_OK;
}

int fovea_cuda_probe_copy(const void* src, void* dst, size_t bytes, void* stream, char* error,
                          size_t error_size) {
  if (bytes == 0) return FOVEA_OK;
  constexpr size_t kThreads = 256, kMostBlocks = 1024;
  const size_t vectors =
      aligned(src, sizeof(uint4)) && aligned(dst, sizeof(uint4)) ? bytes / sizeof(uint4) : 0;
  const size_t blocks =
      std::clamp<size_t>((vectors > 0 ? vectors : bytes) / kThreads, 1, kMostBlocks);
  FOVEA_CHECK_CUDA(launch(copy_kernel, static_cast<unsigned>(blocks), kThreads, 0, stream,
                          static_cast<const unsigned char*>(src), static_cast<unsigned char*>(dst),
                          vectors, bytes));
  return FOVEA_OK;
}

int fovea_cuda_probe_mma(const void* a, const void* b, void* c, void* stream, char* error,
                         size_t error_size) {
  if (!aligned(a, 4) || !aligned(b, 4) || !aligned(c, 8))
    return invalid("a and b must be aligned to 4 bytes, c to 8", error, error_size);
  FOVEA_CHECK_CUDA(launch(mma_kernel, 1, 32, 0, stream, static_cast<const std::uint16_t*>(a),
                          static_cast<const std::uint16_t*>(b), static_cast<float*>(c)));
  return FOVEA_OK;
}

int fovea_cuda_probe_wgmma(int product, const void* a, const void* b, void* c, void* stream,
                           char* error, size_t error_size) {
  const bool scores = product == FOVEA_PROBE_SCORES;
  if (!scores && product != FOVEA_PROBE_VALUES)
    return invalid("product must be 0 or 1", error, error_size);
  if (!aligned(a, 16) || !aligned(b, 16) || !aligned(c, 8))
    return invalid("a and b must be aligned to 16 bytes, c to 8", error, error_size);

  int sm_count, cc_major, cc_minor, smem_optin;
  if (const int status =
          fovea_cuda_probe_device(&sm_count, &cc_major, &cc_minor, &smem_optin, error, error_size))
    return status;
  if (cc_major != 9 || cc_minor != 0) {
    std::snprintf(error, error_size, "wgmma needs compute capability 9.0; this device has %d.%d",
                  cc_major, cc_minor);
    return FOVEA_UNSUPPORTED;
  }

  TensorMap a_map, b_map;
  if (const int status = encode_matrix(a_map, a, kM, kK, kM, error, error_size)) return status;
  const int b_rows = scores ? kN : kK;
  if (const int status =
          encode_matrix(b_map, b, b_rows, kN * kK / b_rows, b_rows, error, error_size))
    return status;
  FOVEA_CHECK_CUDA(
      launch(scores ? wgmma_kernel<FOVEA_PROBE_SCORES> : wgmma_kernel<FOVEA_PROBE_VALUES>, 1, 128,
             kSharedBytes, stream, a_map, b_map, static_cast<const std::uint16_t*>(a),
             static_cast<float*>(c)));
  return FOVEA_OK;
}
