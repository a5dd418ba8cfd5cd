// The warp's matrix products and the loads of their operands. sm_80.
//
// One product is a 16 x 8 piece of c. Lane l holds, with g = l / 4 and t = l % 4:
//   c  columns 2t, 2t+1 of row g, then of row g+8
//   a  16-bit: pairs of columns 2t, 2t+1 of rows g and g+8, then columns 2t+8, 2t+9 of rows g and g+8
//      TF32:   column t of rows g and g+8, then column t+4 of rows g and g+8
//   b  as a, of row g alone (b is given transposed: its rows are columns of c)
// so that in bytes both kinds are alike: a step of k takes 32 bytes of a row.
#pragma once

#include <type_traits>

#include "core/cache_types.h"
#include "tile/memory.cuh"
#include "tile/warp.cuh"

namespace fovea::tile {

// ldmatrix: registers 4i to 4i+3 are thread l's part (row l / 4, bytes 4 (l % 4)) of four matrices of
// eight rows of 16 bytes, whose row addresses the lanes 0-7, 8-15, 16-23, 24-31 give in addresses[i].
// Transposed, thread l gets rows 2 (l % 4), 2 (l % 4) + 1 of 16-bit column l / 4 instead.
template <int kCount, bool kTransposed = false>
FOVEA_DEVICE void load_matrices(uint32_t (&registers)[4 * kCount],
                                const uint32_t (&addresses)[kCount] FOVEA_AND_WHERE) {
#ifdef __CUDACC__
#define FOVEA_LDMATRIX(transposed)                                                               \
  asm volatile("ldmatrix.sync.aligned.m8n8.x4" transposed ".shared.b16 {%0, %1, %2, %3}, [%4];"  \
               : "=r"(registers[4 * i]), "=r"(registers[4 * i + 1]), "=r"(registers[4 * i + 2]), \
                 "=r"(registers[4 * i + 3])                                                      \
               : "r"(addresses[i])                                                               \
               : "memory")
  FOVEA_UNROLL
  for (int i = 0; i < kCount; ++i) {
    if constexpr (kTransposed) {
      FOVEA_LDMATRIX(".trans");
    } else {
      FOVEA_LDMATRIX("");
    }
  }
#undef FOVEA_LDMATRIX
#else
  sim::load_matrices(registers, addresses, kCount, kTransposed, where);
#endif
}

// stmatrix, sm_90: the other way, of 16-bit elements.
template <int kCount, bool kTransposed = false>
FOVEA_DEVICE void store_matrices(const uint32_t (&registers)[4 * kCount],
                                 const uint32_t (&addresses)[kCount] FOVEA_AND_WHERE) {
#ifdef __CUDACC__
#define FOVEA_STMATRIX(transposed)                                                                   \
  asm volatile("stmatrix.sync.aligned.m8n8.x4" transposed ".shared.b16 [%4], {%0, %1, %2, %3};" ::"r"( \
                   registers[4 * i]),                                                                \
               "r"(registers[4 * i + 1]), "r"(registers[4 * i + 2]), "r"(registers[4 * i + 3]),      \
               "r"(addresses[i])                                                                     \
               : "memory")
  FOVEA_UNROLL
  for (int i = 0; i < kCount; ++i) {
    if constexpr (kTransposed) {
      FOVEA_STMATRIX(".trans");
    } else {
      FOVEA_STMATRIX("");
    }
  }
#undef FOVEA_STMATRIX
#else
  sim::store_matrices(registers, addresses, kCount, kTransposed, where);
#endif
}

// The factors of a product: 16-bit ones have 16 columns of k to a step, TF32 eight.
struct Tf32 {};

#ifdef __CUDACC__
template <typename Factor>
FOVEA_DEVICE void mma_instruction(float (&c)[4], const uint32_t* a, const uint32_t* b) {
#define FOVEA_MMA(shape_and_types)                                                \
  asm volatile("mma.sync.aligned." shape_and_types                                \
               " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])                   \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))
  if constexpr (std::is_same_v<Factor, float16>) {
    FOVEA_MMA("m16n8k16.row.col.f32.f16.f16.f32");
  } else if constexpr (std::is_same_v<Factor, bfloat16>) {
    FOVEA_MMA("m16n8k16.row.col.f32.bf16.bf16.f32");
  } else {
    static_assert(std::is_same_v<Factor, Tf32>);
    FOVEA_MMA("m16n8k8.row.col.f32.tf32.tf32.f32");
  }
#undef FOVEA_MMA
}
#else
template <typename Factor>
constexpr sim::Product kProduct = std::is_same_v<Factor, float16> ? sim::Product::kFloat16
                                  : std::is_same_v<Factor, bfloat16>    ? sim::Product::kBfloat16
                                  : std::is_same_v<Factor, float8_e4m3> ? sim::Product::kFloat8
                                                                        : sim::Product::kTf32;
#endif

// c[i][first + j] += a[i] * b[j] for one step of k: kM x kN products of factors in 16 bits or TF32,
// whose low 13 bits are ignored. Sums are float32, but the hardware truncates where it adds.
template <typename Factor, int kM, int kColumns, int kA, int kB>
FOVEA_DEVICE void mma(float (&c)[kM][kColumns][4], int first, const uint32_t (&a)[kA],
                      const uint32_t (&b)[kB] FOVEA_AND_WHERE) {
  static_assert(kA == 4 * kM && kB % 2 == 0 && kB / 2 <= kColumns);
#ifdef __CUDACC__
  FOVEA_UNROLL
  for (int j = 0; j < kB / 2; ++j) {
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) mma_instruction<Factor>(c[i][first + j], a + 4 * i, b + 2 * j);
  }
#else
  sim::mma(kProduct<Factor>, &c[0][first][0], kColumns, a, b, kM, kB / 2, where);
#endif
}

}  // namespace fovea::tile
