// The warpgroup's matrix product: 64 rows and 64 to 256 columns, asynchronous, its second operand in shared memory.
// sm_90a.
#pragma once

#include "tile/mma.cuh"
#include "tile/shared.cuh"

namespace fovea::tile {

// Which index of an operand runs along its rows in shared memory.
enum class Major {
  kK = 0,   // the one that is summed over: the keys of query * key^T
  kMN = 1,  // the other one: the values of weights * value
};

// Where an operand lies: rows of 128 bytes in the 128-byte swizzle of the copy engine, so eight rows are 1024 bytes.
// `stride_bytes`: from eight rows to the next eight. `leading_bytes`: from 64 columns to the next 64 of an operand that
// is MN-major; unused otherwise, since one instruction never takes more than one row's width of k.
FOVEA_DEVICE uint64_t descriptor(uint32_t address, uint32_t leading_bytes, uint32_t stride_bytes) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  return kSwizzle128 | uint64_t{stride_bytes >> 4} << 32 | uint64_t{leading_bytes >> 4} << 16 |
         (address & 0x3FFFF) >> 4;
}

// Of an operand that begins so many bytes further, within the same rows of eight or with them.
FOVEA_DEVICE uint64_t advance(uint64_t descriptor, uint32_t bytes) {
  return (descriptor & ~uint64_t{UINT32_MAX}) | uint32_t(uint32_t(descriptor) + (bytes >> 4));
}

// Before the first product, and before the next after a wait: orders it behind this thread's earlier accesses of its
// registers.
FOVEA_DEVICE void wgmma_fence(FOVEA_WHERE) {
#ifdef __CUDACC__
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#else
  sim::wgmma_fence(where);
#endif
}

// Closes the group of the products issued since the last one.
FOVEA_DEVICE void wgmma_commit(FOVEA_WHERE) {
#ifdef __CUDACC__
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
  sim::wgmma_commit(where);
#endif
}

// Waits until at most `Pending` groups are in flight. Naming the sums keeps the compiler from reading them earlier.
template <int Pending, int Count>
FOVEA_DEVICE void wgmma_wait(float (&sums)[Count] FOVEA_AND_WHERE) {
#ifdef __CUDACC__
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
FOVEA_UNROLL
  for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(sums[i])::"memory");
#else
  sim::wgmma_wait(Pending, sums, where);
#endif
}

// What this thread has written to shared memory is there for products and bulk copies that are ordered behind it.
FOVEA_DEVICE void fence_async(FOVEA_WHERE) {
#ifdef __CUDACC__
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#else
  sim::fence_async(where);
#endif
}

#ifdef __CUDACC__
#define FOVEA_SUMS_8(i)                                                                      \
  "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3]), "+f"(sums[i + 4]), \
      "+f"(sums[i + 5]), "+f"(sums[i + 6]), "+f"(sums[i + 7])
#define FOVEA_SUMS_32 FOVEA_SUMS_8(0), FOVEA_SUMS_8(8), FOVEA_SUMS_8(16), FOVEA_SUMS_8(24)
#define FOVEA_NAMES_32 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define FOVEA_SUMS_48 FOVEA_SUMS_32, FOVEA_SUMS_8(32), FOVEA_SUMS_8(40)
#define FOVEA_NAMES_48 FOVEA_NAMES_32 ", " "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define FOVEA_SUMS_64 FOVEA_SUMS_48, FOVEA_SUMS_8(48), FOVEA_SUMS_8(56)
#define FOVEA_NAMES_64 FOVEA_NAMES_48 ", " "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define FOVEA_SUMS_96 FOVEA_SUMS_64, FOVEA_SUMS_8(64), FOVEA_SUMS_8(72), FOVEA_SUMS_8(80), FOVEA_SUMS_8(88)
#define FOVEA_NAMES_96 FOVEA_NAMES_64 ", " "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define FOVEA_SUMS_128 FOVEA_SUMS_96, FOVEA_SUMS_8(96), FOVEA_SUMS_8(104), FOVEA_SUMS_8(112), FOVEA_SUMS_8(120)
#define FOVEA_NAMES_128 FOVEA_NAMES_96 ", " "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

// Of `count` sums; %a to %f are the operands behind them.
#define FOVEA_WGMMA_SHARED(type, columns, count, a, b, c, d, e)                                                    \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, %" #c ", 0;\n"                                             \
               "wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." type "." type " {" FOVEA_NAMES_##count      \
               "}, %" #a ", %" #b ", adds, 1, 1, %" #d ", %" #e ";\n}"                                             \
               : FOVEA_SUMS_##count                                                                                \
               : "l"(first), "l"(second), "r"(int(adds)), "n"(int(A)), "n"(int(B)))
#define FOVEA_WGMMA_REGISTERS(type, columns, count, a, b, c, d, e, f, g)                                           \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, %" #f ", 0;\n"                                             \
               "wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." type "." type " {" FOVEA_NAMES_##count      \
               "}, {%" #a ", %" #b ", %" #c ", %" #d "}, %" #e ", adds, 1, 1, %" #g ";\n}"                         \
               : FOVEA_SUMS_##count                                                                                \
               : "r"(first[0]), "r"(first[1]), "r"(first[2]), "r"(first[3]), "l"(second), "r"(int(adds)), "n"(int(B)))
#endif

// Whether there is a product of so many sums of a thread: half as many as columns.
template <int kCount>
constexpr bool kHasProduct = kCount == 32 || kCount == 48 || kCount == 64 || kCount == 96 || kCount == 128;

// sums[64 x 2 Count] = a[64 x 16] * b, or += where it `adds`, in bfloat16 or float16 with float32 sums, both operands
// in shared memory. Warp w of the warpgroup holds rows 16w to 16w+15, each 8 columns as tile::mma holds its c.
template <typename T, Major A, Major B, int Count>
FOVEA_DEVICE void wgmma(float (&sums)[Count], uint64_t first, uint64_t second, bool adds FOVEA_AND_WHERE) {
  static_assert(kHasProduct<Count>);
#ifdef __CUDACC__
  if constexpr (Count == 32) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_SHARED("bf16", 64, 32, 32, 33, 34, 35, 36);
    else FOVEA_WGMMA_SHARED("f16", 64, 32, 32, 33, 34, 35, 36);
  } else if constexpr (Count == 48) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_SHARED("bf16", 96, 48, 48, 49, 50, 51, 52);
    else FOVEA_WGMMA_SHARED("f16", 96, 48, 48, 49, 50, 51, 52);
  } else if constexpr (Count == 64) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_SHARED("bf16", 128, 64, 64, 65, 66, 67, 68);
    else FOVEA_WGMMA_SHARED("f16", 128, 64, 64, 65, 66, 67, 68);
  } else if constexpr (Count == 96) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_SHARED("bf16", 192, 96, 96, 97, 98, 99, 100);
    else FOVEA_WGMMA_SHARED("f16", 192, 96, 96, 97, 98, 99, 100);
  } else if constexpr (Count == 128) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_SHARED("bf16", 256, 128, 128, 129, 130, 131, 132);
    else FOVEA_WGMMA_SHARED("f16", 256, 128, 128, 129, 130, 131, 132);
  }
#else
  sim::wgmma(kProduct<T>, sums, 2 * Count, nullptr, {first, A == Major::kMN}, {second, B == Major::kMN}, adds, where);
#endif
}

// The same with a in registers, each warp's 16 rows as tile::mma holds its a; they stay as they are until the wait.
template <typename T, Major B, int Count>
FOVEA_DEVICE void wgmma(float (&sums)[Count], const uint32_t (&first)[4], uint64_t second, bool adds
                        FOVEA_AND_WHERE) {
  static_assert(kHasProduct<Count>);
#ifdef __CUDACC__
  if constexpr (Count == 32) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_REGISTERS("bf16", 64, 32, 32, 33, 34, 35, 36, 37, 38);
    else FOVEA_WGMMA_REGISTERS("f16", 64, 32, 32, 33, 34, 35, 36, 37, 38);
  } else if constexpr (Count == 48) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_REGISTERS("bf16", 96, 48, 48, 49, 50, 51, 52, 53, 54);
    else FOVEA_WGMMA_REGISTERS("f16", 96, 48, 48, 49, 50, 51, 52, 53, 54);
  } else if constexpr (Count == 64) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_REGISTERS("bf16", 128, 64, 64, 65, 66, 67, 68, 69, 70);
    else FOVEA_WGMMA_REGISTERS("f16", 128, 64, 64, 65, 66, 67, 68, 69, 70);
  } else if constexpr (Count == 96) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_REGISTERS("bf16", 192, 96, 96, 97, 98, 99, 100, 101, 102);
    else FOVEA_WGMMA_REGISTERS("f16", 192, 96, 96, 97, 98, 99, 100, 101, 102);
  } else if constexpr (Count == 128) {
    if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_REGISTERS("bf16", 256, 128, 128, 129, 130, 131, 132, 133, 134);
    else FOVEA_WGMMA_REGISTERS("f16", 256, 128, 128, 129, 130, 131, 132, 133, 134);
  }
#else
  sim::wgmma(kProduct<T>, sums, 2 * Count, first, {}, {second, B == Major::kMN}, adds, where);
#endif
}

#ifdef __CUDACC__
#undef FOVEA_SUMS_8
#undef FOVEA_SUMS_32
#undef FOVEA_NAMES_32
#undef FOVEA_SUMS_48
#undef FOVEA_NAMES_48
#undef FOVEA_SUMS_64
#undef FOVEA_NAMES_64
#undef FOVEA_SUMS_96
#undef FOVEA_NAMES_96
#undef FOVEA_SUMS_128
#undef FOVEA_NAMES_128
#undef FOVEA_WGMMA_SHARED
#undef FOVEA_WGMMA_REGISTERS
#endif

}  // namespace fovea::tile
