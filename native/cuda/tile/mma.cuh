// The warp's matrix product. sm_80.
#pragma once

#include <cstdint>

namespace fovea::tile {

// c[16 x 8] += a[16 x 16] * b[8 x 16]^T in bfloat16 with float32 sums. Lane l holds, with g = l / 4 and t = 2 * (l % 4):
//   a  pairs of columns t, t+1 of rows g and g+8, then columns t+8, t+9 of rows g and g+8
//   b  pairs of columns t, t+1, then t+8, t+9 of row g
//   c  columns t, t+1 of row g, then of row g+8
__device__ __forceinline__ void mma(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

}  // namespace fovea::tile
