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
#define FOVEA_SUMS_OF(i)                                                                     \
  "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3]), "+f"(sums[i + 4]), \
      "+f"(sums[i + 5]), "+f"(sums[i + 6]), "+f"(sums[i + 7])
#define FOVEA_SUMS_8 FOVEA_SUMS_OF(0)
#define FOVEA_NAMES_8 "%0, %1, %2, %3, %4, %5, %6, %7"
#define FOVEA_SUMS_16 FOVEA_SUMS_8, FOVEA_SUMS_OF(8)
#define FOVEA_NAMES_16 FOVEA_NAMES_8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define FOVEA_SUMS_24 FOVEA_SUMS_16, FOVEA_SUMS_OF(16)
#define FOVEA_NAMES_24 FOVEA_NAMES_16 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define FOVEA_SUMS_32 FOVEA_SUMS_24, FOVEA_SUMS_OF(24)
#define FOVEA_NAMES_32 FOVEA_NAMES_24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define FOVEA_SUMS_40 FOVEA_SUMS_32, FOVEA_SUMS_OF(32)
#define FOVEA_NAMES_40 FOVEA_NAMES_32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define FOVEA_SUMS_48 FOVEA_SUMS_40, FOVEA_SUMS_OF(40)
#define FOVEA_NAMES_48 FOVEA_NAMES_40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define FOVEA_SUMS_56 FOVEA_SUMS_48, FOVEA_SUMS_OF(48)
#define FOVEA_NAMES_56 FOVEA_NAMES_48 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define FOVEA_SUMS_64 FOVEA_SUMS_56, FOVEA_SUMS_OF(56)
#define FOVEA_NAMES_64 FOVEA_NAMES_56 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define FOVEA_SUMS_72 FOVEA_SUMS_64, FOVEA_SUMS_OF(64)
#define FOVEA_NAMES_72 FOVEA_NAMES_64 ", %64, %65, %66, %67, %68, %69, %70, %71"
#define FOVEA_SUMS_80 FOVEA_SUMS_72, FOVEA_SUMS_OF(72)
#define FOVEA_NAMES_80 FOVEA_NAMES_72 ", %72, %73, %74, %75, %76, %77, %78, %79"
#define FOVEA_SUMS_88 FOVEA_SUMS_80, FOVEA_SUMS_OF(80)
#define FOVEA_NAMES_88 FOVEA_NAMES_80 ", %80, %81, %82, %83, %84, %85, %86, %87"
#define FOVEA_SUMS_96 FOVEA_SUMS_88, FOVEA_SUMS_OF(88)
#define FOVEA_NAMES_96 FOVEA_NAMES_88 ", %88, %89, %90, %91, %92, %93, %94, %95"
#define FOVEA_SUMS_104 FOVEA_SUMS_96, FOVEA_SUMS_OF(96)
#define FOVEA_NAMES_104 FOVEA_NAMES_96 ", %96, %97, %98, %99, %100, %101, %102, %103"
#define FOVEA_SUMS_112 FOVEA_SUMS_104, FOVEA_SUMS_OF(104)
#define FOVEA_NAMES_112 FOVEA_NAMES_104 ", %104, %105, %106, %107, %108, %109, %110, %111"
#define FOVEA_SUMS_120 FOVEA_SUMS_112, FOVEA_SUMS_OF(112)
#define FOVEA_NAMES_120 FOVEA_NAMES_112 ", %112, %113, %114, %115, %116, %117, %118, %119"
#define FOVEA_SUMS_128 FOVEA_SUMS_120, FOVEA_SUMS_OF(120)
#define FOVEA_NAMES_128 FOVEA_NAMES_120 ", %120, %121, %122, %123, %124, %125, %126, %127"

// FOVEA_SHAPE(columns, sums of a thread, numbers of the seven operands behind them) for each shape there is.
#define FOVEA_SHAPES(FOVEA_SHAPE)                          \
  FOVEA_SHAPE(16, 8, 8, 9, 10, 11, 12, 13, 14)             \
  FOVEA_SHAPE(32, 16, 16, 17, 18, 19, 20, 21, 22)          \
  FOVEA_SHAPE(48, 24, 24, 25, 26, 27, 28, 29, 30)          \
  FOVEA_SHAPE(64, 32, 32, 33, 34, 35, 36, 37, 38)          \
  FOVEA_SHAPE(80, 40, 40, 41, 42, 43, 44, 45, 46)          \
  FOVEA_SHAPE(96, 48, 48, 49, 50, 51, 52, 53, 54)          \
  FOVEA_SHAPE(112, 56, 56, 57, 58, 59, 60, 61, 62)         \
  FOVEA_SHAPE(128, 64, 64, 65, 66, 67, 68, 69, 70)         \
  FOVEA_SHAPE(144, 72, 72, 73, 74, 75, 76, 77, 78)         \
  FOVEA_SHAPE(160, 80, 80, 81, 82, 83, 84, 85, 86)         \
  FOVEA_SHAPE(176, 88, 88, 89, 90, 91, 92, 93, 94)         \
  FOVEA_SHAPE(192, 96, 96, 97, 98, 99, 100, 101, 102)      \
  FOVEA_SHAPE(208, 104, 104, 105, 106, 107, 108, 109, 110) \
  FOVEA_SHAPE(224, 112, 112, 113, 114, 115, 116, 117, 118) \
  FOVEA_SHAPE(240, 120, 120, 121, 122, 123, 124, 125, 126) \
  FOVEA_SHAPE(256, 128, 128, 129, 130, 131, 132, 133, 134)

#define FOVEA_WGMMA_SHARED(type, columns, count, a, b, c, d, e)                                                    \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, %" #c ", 0;\n"                                             \
               "wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." type "." type " {" FOVEA_NAMES_##count      \
               "}, %" #a ", %" #b ", adds, 1, 1, %" #d ", %" #e ";\n}"                                             \
               : FOVEA_SUMS_##count                                                                                \
               : "l"(first), "l"(second), "r"(int(adds)), "n"(int(A)), "n"(int(B)))
#define FOVEA_WGMMA_SHARED_E4M3(columns, count, a, b, c)                                                           \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, %" #c ", 0;\n"                                             \
               "wgmma.mma_async.sync.aligned.m64n" #columns "k32.f32.e4m3.e4m3 {" FOVEA_NAMES_##count              \
               "}, %" #a ", %" #b ", adds, 1, 1;\n}"                                                               \
               : FOVEA_SUMS_##count                                                                                \
               : "l"(first), "l"(second), "r"(int(adds)))
#define FOVEA_WGMMA_REGISTERS_E4M3(columns, count, a, b, c, d, e, f)                                               \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, %" #f ", 0;\n"                                             \
               "wgmma.mma_async.sync.aligned.m64n" #columns "k32.f32.e4m3.e4m3 {" FOVEA_NAMES_##count              \
               "}, {%" #a ", %" #b ", %" #c ", %" #d "}, %" #e ", adds, 1, 1;\n}"                                  \
               : FOVEA_SUMS_##count                                                                                \
               : "r"(first[0]), "r"(first[1]), "r"(first[2]), "r"(first[3]), "l"(second), "r"(int(adds)))
#define FOVEA_WGMMA_REGISTERS(type, columns, count, a, b, c, d, e, f, g)                                           \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, %" #f ", 0;\n"                                             \
               "wgmma.mma_async.sync.aligned.m64n" #columns "k16.f32." type "." type " {" FOVEA_NAMES_##count      \
               "}, {%" #a ", %" #b ", %" #c ", %" #d "}, %" #e ", adds, 1, 1, %" #g ";\n}"                         \
               : FOVEA_SUMS_##count                                                                                \
               : "r"(first[0]), "r"(first[1]), "r"(first[2]), "r"(first[3]), "l"(second), "r"(int(adds)), "n"(int(B)))
#endif

// Whether there is a product of so many sums of a thread, half as many as columns. (There are others in between, which
// no operand of 16 columns or rows at a time makes use of.)
template <int kCount>
constexpr bool kHasProduct = kCount % 8 == 0 && kCount >= 8 && kCount <= 128;

// sums[64 x 2 Count] = a[64 x 16] * b, or += where it `adds`, in bfloat16 or float16 with float32 sums, both operands
// in shared memory; in e4m3 of 32 columns of a, both K-major, with sums that are cut to 13 bits of fraction. Warp w of the warpgroup holds rows 16w to 16w+15, each 8 columns as tile::mma holds its c.
template <typename T, Major A, Major B, int Count>
FOVEA_DEVICE void wgmma(float (&sums)[Count], uint64_t first, uint64_t second, bool adds FOVEA_AND_WHERE) {
  constexpr bool kIsE4m3 = std::is_same_v<T, float8_e4m3>;
  static_assert(kHasProduct<Count> && (!kIsE4m3 || (A == Major::kK && B == Major::kK)));
#ifdef __CUDACC__
#define FOVEA_SHAPE(columns, count, a, b, c, d, e, f, g)                                                 \
  if constexpr (Count == count) {                                                                        \
    if constexpr (kIsE4m3) FOVEA_WGMMA_SHARED_E4M3(columns, count, a, b, c);                             \
    else if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_SHARED("bf16", columns, count, a, b, c, d, e); \
    else FOVEA_WGMMA_SHARED("f16", columns, count, a, b, c, d, e);                                       \
  }
  FOVEA_SHAPES(FOVEA_SHAPE)
#undef FOVEA_SHAPE
#else
  sim::wgmma(kProduct<T>, sums, 2 * Count, nullptr, {first, A == Major::kMN}, {second, B == Major::kMN}, adds, where);
#endif
}

// The same with a in registers, each warp's 16 rows as tile::mma holds its a; they stay as they are until the wait.
template <typename T, Major B, int Count>
FOVEA_DEVICE void wgmma(float (&sums)[Count], const uint32_t (&first)[4], uint64_t second, bool adds
                        FOVEA_AND_WHERE) {
  constexpr bool kIsE4m3 = std::is_same_v<T, float8_e4m3>;
  static_assert(kHasProduct<Count> && (!kIsE4m3 || B == Major::kK));
#ifdef __CUDACC__
#define FOVEA_SHAPE(columns, count, a, b, c, d, e, f, g)                                                          \
  if constexpr (Count == count) {                                                                                 \
    if constexpr (kIsE4m3) FOVEA_WGMMA_REGISTERS_E4M3(columns, count, a, b, c, d, e, f);                          \
    else if constexpr (std::is_same_v<T, bfloat16>) FOVEA_WGMMA_REGISTERS("bf16", columns, count, a, b, c, d, e, f, g); \
    else FOVEA_WGMMA_REGISTERS("f16", columns, count, a, b, c, d, e, f, g);                                       \
  }
  FOVEA_SHAPES(FOVEA_SHAPE)
#undef FOVEA_SHAPE
#else
  sim::wgmma(kProduct<T>, sums, 2 * Count, first, {}, {second, B == Major::kMN}, adds, where);
#endif
}

#ifdef __CUDACC__
#undef FOVEA_SHAPES
#undef FOVEA_WGMMA_SHARED
#undef FOVEA_WGMMA_SHARED_E4M3
#undef FOVEA_WGMMA_REGISTERS_E4M3
#undef FOVEA_WGMMA_REGISTERS
#endif

}  // namespace fovea::tile
