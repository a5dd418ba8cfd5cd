// Gathers the operands into dense float32 tiles, multiplies, and scatters the sums. Every variant
// does the same to the same numbers, and fuses nothing: results do not depend on the machine.

#include <cstring>

#include "sim/matrix.h"
#include "sim/tensor_core.h"

namespace fovea::sim {
namespace {

constexpr uint32_t kTileRows = 16;
constexpr uint32_t kTileColumns = 8;
constexpr uint32_t kWords = 8;       // of 32 bits along k
constexpr uint32_t kMaxDepth = 32;   // 8-bit factors; those of 16 bits have 16, TF32 has 8
constexpr uint32_t kStripTiles = 8;  // of columns that are multiplied at once, at most
constexpr uint32_t kStrip = kStripTiles * kTileColumns;

struct alignas(64) Scratch : Strip<kTileRows, kStrip, kMaxDepth> {
  uint32_t words[kWords][kStrip];
};

// Register r of lane (g, t) is the word t + 4 * (r / pieces) of row g + 8 * (r % pieces).
template <uint32_t kPieces>
[[gnu::always_inline]] inline void gather(const uint32_t* const (&lanes)[kWarp], uint32_t first,
                                          uint32_t (&words)[kWords][kStrip], uint32_t column) {
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    const uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t r = 0; r < 2 * kPieces; ++r) {
      words[t + 4 * (r / kPieces)][column + g + 8 * (r % kPieces)] = lanes[lane][first + r];
    }
  }
}

[[gnu::always_inline]] inline void widen_float16(const Words& half, float* to) {
  const Words magnitude = (half & 0x7fff) << 13;
  // The exponent's bias differs by 112; infinities and NaN keep the largest one.
  const Floats scaled = reinterpret_cast<Floats>(magnitude) * 0x1p112f;
  const Words special = reinterpret_cast<Words>((half & 0x7c00) == 0x7c00) & 0x7f800000;
  const Words bits = reinterpret_cast<Words>(scaled) | special | (half & 0x8000) << 16;
  std::memcpy(to, &bits, sizeof bits);
}

// Infinities there are none, and NaN is what has all bits of the magnitude.
[[gnu::always_inline]] inline void widen_float8(const Words& byte, float* to) {
  const Words magnitude = byte & 0x7f;
  const Floats scaled = reinterpret_cast<Floats>(magnitude << 20) * 0x1p120f;
  const Words special = reinterpret_cast<Words>(magnitude == 0x7f) & 0x7fc00000;
  const Words bits = reinterpret_cast<Words>(scaled) | special | (byte & 0x80) << 24;
  std::memcpy(to, &bits, sizeof bits);
}

// Each word becomes one float, or two or four that are neighbours along k.
template <uint32_t kWidth, typename Row>
[[gnu::always_inline]] inline void widen(Product product, const uint32_t (&words)[kWords][kStrip],
                                         Row* to) {
  for (uint32_t k = 0; k < kWords; ++k) {
    for (uint32_t i = 0; i < kWidth; i += kLanes) {
      Words word;
      std::memcpy(&word, &words[k][i], sizeof word);
      if (product == Product::kTf32) {
        const Words bits = word & ~0x1fffu;
        std::memcpy(&to[k][i], &bits, sizeof bits);
      } else if (product == Product::kBfloat16) {
        const Words low = word << 16, high = word & 0xffff0000u;
        std::memcpy(&to[2 * k][i], &low, sizeof low);
        std::memcpy(&to[2 * k + 1][i], &high, sizeof high);
      } else if (product == Product::kFloat8) {
        for (uint32_t e = 0; e < 4; ++e) widen_float8(word >> 8 * e & 0xff, &to[4 * k + e][i]);
      } else {
        widen_float16(word & 0xffff, &to[2 * k][i]);
        widen_float16(word >> 16, &to[2 * k + 1][i]);
      }
    }
  }
}

// As float32 arithmetic would: k rising, every sum rounded to nearest.
template <uint32_t kWidth>
[[gnu::always_inline]] inline void multiply_to_nearest(Scratch& s, uint32_t depth) {
  constexpr uint32_t kVectors = kWidth / kLanes;
  for (uint32_t row = 0; row < kTileRows; ++row) {
    Floats sum[kVectors];
#pragma GCC unroll 8
    for (uint32_t v = 0; v < kVectors; ++v) std::memcpy(&sum[v], &s.c[row][v * kLanes], sizeof sum[v]);
    for (uint32_t k = 0; k < depth; ++k) {
      const float a = s.a[k][row];
#pragma GCC unroll 8
      for (uint32_t v = 0; v < kVectors; ++v) {
        Floats b;
        std::memcpy(&b, &s.b[k][v * kLanes], sizeof b);
        sum[v] += a * b;
      }
    }
#pragma GCC unroll 8
    for (uint32_t v = 0; v < kVectors; ++v) std::memcpy(&s.c[row][v * kLanes], &sum[v], sizeof sum[v]);
  }
}

// Sums of 8-bit factors, which H100 was found to keep in 22 bits (DeepSeek-V3, arXiv 2412.19437, 3.3.2).
constexpr int32_t kFloat8Fraction = 13;
template <uint32_t kWidth>
[[gnu::always_inline]] inline void cut_sums(Scratch& s) {
  for (uint32_t row = 0; row < kTileRows; ++row) {
    for (uint32_t i = 0; i < kWidth; i += kLanes) {
      Words bits;
      std::memcpy(&bits, &s.c[row][i], sizeof bits);
      bits &= ~uint32_t{0} << (23 - kFloat8Fraction);
      std::memcpy(&s.c[row][i], &bits, sizeof bits);
    }
  }
}

template <uint32_t kWidth>
[[gnu::always_inline]] inline void multiply_columns(Scratch& s, uint32_t depth,
                                                    const TensorCore& core) {
  if (core.step_bytes == 0) return multiply_to_nearest<kWidth>(s, depth);
  if (depth == kMaxDepth) {
    s.add_step<kMaxDepth, kWidth>(0, kFloat8Fraction);
    return cut_sums<kWidth>(s);
  }
  const uint32_t step = core.step_bytes * depth / 32;  // all of k takes 32 bytes
  for (uint32_t k = 0; k < depth; k += step) {
    if (step == 16) {
      s.add_step<16, kWidth>(k, core.fraction_bits);
    } else if (step == 8) {
      s.add_step<8, kWidth>(k, core.fraction_bits);
    } else {
      s.add_step<4, kWidth>(k, core.fraction_bits);
    }
  }
}

// Lane (g, t) has columns 2t, 2t+1 of row g, then of row g+8.
template <bool kStore>
[[gnu::always_inline]] inline void move_sums(float* const (&lanes)[kWarp], uint32_t first,
                                             uint32_t tiles, float (&c)[kTileRows][kStrip]) {
  for (uint32_t lane = 0; lane < kWarp; ++lane) {
    const uint32_t g = lane / 4, t = lane % 4;
    float* fragment = lanes[lane] + size_t{first} * 4;
    for (uint32_t tile = 0; tile < tiles; ++tile, fragment += 4) {
      for (uint32_t half = 0; half < 2; ++half) {
        float* const dense = &c[g + 8 * half][tile * kTileColumns + 2 * t];
        std::memcpy(kStore ? fragment + 2 * half : dense, kStore ? dense : fragment + 2 * half, 8);
      }
    }
  }
}

// `tiles` tiles of columns, from tile j on.
template <uint32_t kWidth>
[[gnu::always_inline]] inline void multiply_strip(Scratch& s, Product product,
                                                  const Fragments& fragments, uint32_t stride,
                                                  uint32_t m, uint32_t j, uint32_t tiles,
                                                  const TensorCore& core) {
  const uint32_t depth = product == Product::kTf32 ? kWords : product == Product::kFloat8 ? 4 * kWords : 2 * kWords;
  const int32_t least = product == Product::kFloat16 ? -14 : product == Product::kFloat8 ? -6 : -126;
  if (tiles * kTileColumns < kWidth) {  // what is multiplied for nothing must still be a number
    std::memset(s.words, 0, sizeof s.words);
    std::memset(s.c, 0, sizeof s.c);
  }
  for (uint32_t tile = 0; tile < tiles; ++tile) {
    gather<1>(fragments.b, 2 * (j + tile), s.words, tile * kTileColumns);
  }
  widen<kWidth>(product, s.words, s.b);
  if (core.step_bytes != 0) s.find_exponents<kWidth>(depth, least, true);
  for (uint32_t i = 0; i < m; ++i) {
    gather<2>(fragments.a, 4 * i, s.words, 0);
    widen<kTileRows>(product, s.words, s.a);
    if (core.step_bytes != 0) s.find_exponents<kWidth>(depth, least, false);
    move_sums<false>(fragments.c, i * stride + j, tiles, s.c);
    multiply_columns<kWidth>(s, depth, core);
    move_sums<true>(fragments.c, i * stride + j, tiles, s.c);
  }
}

[[gnu::always_inline]] inline void multiply_all(Product product, const Fragments& fragments,
                                                uint32_t stride, uint32_t m, uint32_t n,
                                                const TensorCore& core) {
  Scratch s;
  for (uint32_t j = 0; j < n; j += kStripTiles) {
    const uint32_t tiles = n - j < kStripTiles ? n - j : kStripTiles;
    if (tiles <= kStripTiles / 4) {
      multiply_strip<kStrip / 4>(s, product, fragments, stride, m, j, tiles, core);
    } else if (tiles <= kStripTiles / 2) {
      multiply_strip<kStrip / 2>(s, product, fragments, stride, m, j, tiles, core);
    } else {
      multiply_strip<kStrip>(s, product, fragments, stride, m, j, tiles, core);
    }
  }
}

#if defined(__x86_64__)
// 256 bits on both: 512, with vectors of 16 numbers, took half as long again. What AVX-512 brings, a tenth, are
// registers and masks.
[[gnu::target("avx2")]] void multiply_avx2(Product product, const Fragments& fragments,
                                           uint32_t stride, uint32_t m, uint32_t n,
                                           const TensorCore& core) {
  multiply_all(product, fragments, stride, m, n, core);
}
[[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=256")]] void multiply_avx512(
    Product product, const Fragments& fragments, uint32_t stride, uint32_t m, uint32_t n,
    const TensorCore& core) {
  multiply_all(product, fragments, stride, m, n, core);
}
#endif

}  // namespace

void multiply(Product product, const Fragments& fragments, uint32_t stride, uint32_t m, uint32_t n,
              const TensorCore& core) {
#if defined(__x86_64__)
  static const bool avx512 =
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq");
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx512) return multiply_avx512(product, fragments, stride, m, n, core);
  if (avx2) return multiply_avx2(product, fragments, stride, m, n, core);
#endif
  multiply_all(product, fragments, stride, m, n, core);
}

}  // namespace fovea::sim
