// The warpgroup's matrix product: 64 x 128, asynchronous, second operand in shared memory. sm_90a.
#pragma once

#include <cstdint>

namespace fovea::tile {

// Where an operand lies: rows of 128 bytes in the 128-byte swizzle of the copy engine, so eight rows are 1024 bytes.
// `stride_bytes`: from eight rows to the next eight. `leading_bytes`: from 64 columns to the next 64 of an operand that
// is MN-major; unused otherwise, since one instruction never takes more than one row's width of k.
__device__ __forceinline__ std::uint64_t descriptor(std::uint32_t address,
                                                    std::uint32_t leading_bytes,
                                                    std::uint32_t stride_bytes) {
  constexpr std::uint64_t kSwizzle128 = std::uint64_t{1} << 62;
  return kSwizzle128 | static_cast<std::uint64_t>(stride_bytes >> 4) << 32 |
         static_cast<std::uint64_t>(leading_bytes >> 4) << 16 | (address & 0x3FFFF) >> 4;
}

// Before the first product: orders it behind this thread's earlier writes of its registers.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

// Closes the group of the products issued since the last one.
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Waits until at most `Pending` groups are in flight. Naming the sums keeps the compiler from reading them earlier.
template <int Pending, int Count>
__device__ __forceinline__ void wgmma_wait(float (&sums)[Count]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
#pragma unroll
  for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}

// Which index of an operand runs along its rows in shared memory.
enum class Major {
  kK = 0,   // the one that is summed over: the keys of query * key^T
  kMN = 1,  // the other one: the values of weights * value
};

#define FOVEA_SUMS_8(i)                                                                      \
  "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3]), "+f"(sums[i + 4]), \
      "+f"(sums[i + 5]), "+f"(sums[i + 6]), "+f"(sums[i + 7])
#define FOVEA_SUMS_64                                                                     \
  FOVEA_SUMS_8(0), FOVEA_SUMS_8(8), FOVEA_SUMS_8(16), FOVEA_SUMS_8(24), FOVEA_SUMS_8(32), \
      FOVEA_SUMS_8(40), FOVEA_SUMS_8(48), FOVEA_SUMS_8(56)
#define FOVEA_OPERANDS_64                                                                       \
  "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, " \
  "%20, %21,"                                                                                   \
  " %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, " \
  "%40, %41,"                                                                                   \
  " %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, " \
  "%60, %61,"                                                                                   \
  " %62, %63}"

// sums[64 x 128] += a[64 x 16] * b in bfloat16 with float32 sums, both operands in shared memory, a K-major.
// Warp w of the warpgroup holds rows 16w to 16w+15, each 8 columns as tile::mma holds its c.
template <Major B>
__device__ __forceinline__ void wgmma(float (&sums)[64], std::uint64_t a, std::uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " FOVEA_OPERANDS_64
               ", %64, %65, 1, 1, 1, 0, %66;"
               : FOVEA_SUMS_64
               : "l"(a), "l"(b), "n"(static_cast<int>(B)));
}

// The same with a in registers, each warp's 16 rows as tile::mma holds its a.
template <Major B>
__device__ __forceinline__ void wgmma(float (&sums)[64], const std::uint32_t (&a)[4],
                                      std::uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 " FOVEA_OPERANDS_64
               ", {%64, %65, %66, %67}, %68, 1, 1, 1, %69;"
               : FOVEA_SUMS_64
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(static_cast<int>(B)));
}

#undef FOVEA_SUMS_8
#undef FOVEA_SUMS_64
#undef FOVEA_OPERANDS_64

}  // namespace fovea::tile
