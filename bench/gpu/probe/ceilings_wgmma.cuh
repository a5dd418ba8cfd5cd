// Loops of wgmma products for ceilings.cu. The sums are registers of the assembly alone: as operands
// of an asm statement, 128 of them would be spelled out for every N. So the loop is in there, too.
#pragma once

#include <cstdint>

namespace fovea {

constexpr int kProductsOfRound = 4;

#define FOVEA_EIGHT(t) "c" t "0,c" t "1,c" t "2,c" t "3,c" t "4,c" t "5,c" t "6,c" t "7"
#define FOVEA_SUMS_32 FOVEA_EIGHT("0") "," FOVEA_EIGHT("1")
#define FOVEA_SUMS_64 FOVEA_SUMS_32 "," FOVEA_EIGHT("2") "," FOVEA_EIGHT("3")
#define FOVEA_SUMS_96 FOVEA_SUMS_64 "," FOVEA_EIGHT("4") "," FOVEA_EIGHT("5")
#define FOVEA_SUMS_128 FOVEA_SUMS_96 "," FOVEA_EIGHT("6") "," FOVEA_EIGHT("7")
#define FOVEA_SUMS_160 FOVEA_SUMS_128 "," FOVEA_EIGHT("8") "," FOVEA_EIGHT("9")
#define FOVEA_SUMS_192 FOVEA_SUMS_160 "," FOVEA_EIGHT("a") "," FOVEA_EIGHT("b")
#define FOVEA_SUMS_224 FOVEA_SUMS_192 "," FOVEA_EIGHT("c") "," FOVEA_EIGHT("d")
#define FOVEA_SUMS_256 FOVEA_SUMS_224 "," FOVEA_EIGHT("e") "," FOVEA_EIGHT("f")

#define FOVEA_PRODUCT(n, a, majors)                                           \
  "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32.bf16.bf16 {" FOVEA_SUMS_##n \
      "}, " a ", %3, add, 1, 1, " majors ";\n"
// `add` is false for the first product of all: that one sets the sums.
#define FOVEA_PRODUCTS(n, a, majors) \
  "{\n"                                                        \
  ".reg .f32 " FOVEA_SUMS_##n                                  \
  ";\n"                                                        \
  ".reg .pred add, more;\n"                                    \
  ".reg .b32 left;\n"                                          \
  "mov.b32 left, %2;\n"                                        \
  "setp.ne.b32 add, left, left;\n"                             \
  "round:\n"                                                   \
  "wgmma.fence.sync.aligned;\n" FOVEA_PRODUCT(n, a, majors)    \
  "setp.eq.b32 add, left, left;\n" FOVEA_PRODUCT(n, a, majors) \
  FOVEA_PRODUCT(n, a, majors) FOVEA_PRODUCT(n, a, majors)      \
  "wgmma.commit_group.sync.aligned;\n"                         \
  "wgmma.wait_group.sync.aligned 1;\n"                         \
  "sub.s32 left, left, 1;\n"                                   \
  "setp.ne.s32 more, left, 0;\n"                               \
  "@more bra round;\n"                                         \
  "wgmma.wait_group.sync.aligned 0;\n"                         \
  "mov.f32 %0, c00;\n"                                         \
  "mov.f32 %1, c17;\n"                                         \
  "}"

// `rounds` times kProductsOfRound products of 64 x kN x 16, b in shared memory, a there or in
// registers, all of the same operands. Returns two of the thread's sums.
template <int kN>
struct Products;

#define FOVEA_DEFINE_PRODUCTS(n)                                                       \
  template <>                                                                          \
  struct Products<n> {                                                                 \
    static __device__ float2 of_shared(int rounds, std::uint64_t a, std::uint64_t b) { \
      float2 sums;                                                                     \
      asm volatile(FOVEA_PRODUCTS(n, "%4", "0, 0")                                     \
                   : "=f"(sums.x), "=f"(sums.y)                                        \
                   : "r"(rounds), "l"(b), "l"(a)                                       \
                   : "memory");                                                        \
      return sums;                                                                     \
    }                                                                                  \
    static __device__ float2 of_registers(int rounds, const std::uint32_t (&a)[4],     \
                                          std::uint64_t b) {                           \
      float2 sums;                                                                     \
      asm volatile(FOVEA_PRODUCTS(n, "{%4, %5, %6, %7}", "0")                          \
                   : "=f"(sums.x), "=f"(sums.y)                                        \
                   : "r"(rounds), "l"(b), "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3])   \
                   : "memory");                                                        \
      return sums;                                                                     \
    }                                                                                  \
  }
FOVEA_DEFINE_PRODUCTS(32);
FOVEA_DEFINE_PRODUCTS(64);
FOVEA_DEFINE_PRODUCTS(96);
FOVEA_DEFINE_PRODUCTS(128);
FOVEA_DEFINE_PRODUCTS(160);
FOVEA_DEFINE_PRODUCTS(192);
FOVEA_DEFINE_PRODUCTS(224);
FOVEA_DEFINE_PRODUCTS(256);

#undef FOVEA_DEFINE_PRODUCTS
#undef FOVEA_PRODUCTS
#undef FOVEA_PRODUCT
#undef FOVEA_SUMS_256
#undef FOVEA_SUMS_224
#undef FOVEA_SUMS_192
#undef FOVEA_SUMS_160
#undef FOVEA_SUMS_128
#undef FOVEA_SUMS_96
#undef FOVEA_SUMS_64
#undef FOVEA_SUMS_32
#undef FOVEA_EIGHT

}  // namespace fovea
