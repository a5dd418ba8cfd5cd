// How a tensor core adds: products are exact; those of one step of k and the sum so far are aligned
// to the largest exponent among them, cut off below `fraction_bits` bits of it, added exactly and cut
// to float32, toward zero each time. Bit by bit what A100, L40S, H100 and B200 were found to do
// (Fasi, Higham, Mikaitis, Pranesh, PeerJ Computer Science 7:e330, 2021; Xie, Wang, Yang, Yang,
// arXiv 2511.10909; Khattak, Mikaitis, arXiv 2512.07004).
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "sim/sim.h"

namespace fovea::sim {

using Words = uint32_t __attribute__((vector_size(32)));
using Ints = int32_t __attribute__((vector_size(32)));
using Shorts = int16_t __attribute__((vector_size(16)));
using Floats = float __attribute__((vector_size(32)));
constexpr uint32_t kLanes = 8;

// Exponents as the alignment has them. A product has the sum of its factors' exponents, so that its
// significand may reach 4. Zero is below and what is not finite above any sum of others.
constexpr int32_t kZeroExponent = -4096;
constexpr int32_t kSpecialExponent = 8192;

// Up to this one the sum of a step is a float32, and so is every number on the way.
constexpr int32_t kLargestExponent = 120;

// Vectors come back by reference: how they would be returned differs with the instruction set.

// Of widened factors, whose type has normal numbers from 2^least on.
[[gnu::always_inline]] inline void exponents(const Floats& x, int32_t least, Ints& to) {
  const Ints magnitude = reinterpret_cast<const Ints&>(x) & 0x7fffffff;
  const Ints exponent = (magnitude >> 23) - 127;
  to = exponent > least ? exponent : Ints{} + least;
  to = exponent == 128 ? Ints{} + kSpecialExponent : to;
  to = magnitude == 0 ? Ints{} + kZeroExponent : to;
}

[[gnu::always_inline]] inline void power_of_two(const Ints& exponent, Floats& to) {
  to = reinterpret_cast<Floats>((exponent + 127) << 23);
}

[[gnu::always_inline]] inline void convert(const Floats& x, Words& to) {
  to = reinterpret_cast<Words>(__builtin_convertvector(x, Ints));
}

[[gnu::always_inline]] inline void absolute(const Ints& x, Ints& to) {
  const Words sign = reinterpret_cast<Words>(x >> 31);
  to = reinterpret_cast<Ints>((reinterpret_cast<const Words&>(x) ^ sign) - sign);
}

// To float32, toward zero; the value is within its range or infinite.
inline float cut(double x) {
  constexpr uint64_t kKept = ~uint64_t{0} << 29;
  x = std::bit_cast<double>(std::bit_cast<uint64_t>(x) & kKept);
  if (std::fabs(x) < 0x1p-126) return float(std::trunc(x * 0x1p149) * 0x1p-149);
  const double infinity = std::numeric_limits<double>::infinity();
  return float(std::fabs(x) >= 0x1p128 ? std::copysign(infinity, x) : x);
}

// One sum of a step of `count` products, in the words of the definition: for what is not finite, too
// large on the way, or so small that its last bits are below 2^-126.
inline float add_products(float c, const float* a, size_t a_stride, const float* b, size_t b_stride,
                          uint32_t count, int32_t exponent, int32_t bits) {
  double all = c;
  for (uint32_t k = 0; k < count; ++k) all += double(a[k * a_stride]) * double(b[k * b_stride]);
  if (!std::isfinite(all)) return float(all);
  const auto aligned = [&](double x) { return std::trunc(std::ldexp(x, bits - exponent)); };
  double sum = aligned(c);
  for (uint32_t k = 0; k < count; ++k) {
    sum += aligned(double(a[k * a_stride]) * double(b[k * b_stride]));
  }
  return cut(std::ldexp(sum, exponent - bits));
}

// The factors of a strip of products: a is [depth][kRows], b [depth][kColumns], and so are their
// exponents; c is [kRows][kColumns].
template <uint32_t kRows, uint32_t kColumns, uint32_t kMaxDepth>
struct Strip {
  float a[kMaxDepth][kRows];
  float b[kMaxDepth][kColumns];
  float c[kRows][kColumns];
  int16_t a_exponents[kMaxDepth][kRows];
  int16_t b_exponents[kMaxDepth][kColumns];

  // Of the first kWidth columns of b, or of a.
  template <uint32_t kWidth>
  [[gnu::always_inline]] void find_exponents(uint32_t depth, int32_t least, bool of_b) {
    for (uint32_t k = 0; k < depth; ++k) {
      for (uint32_t i = 0; i < (of_b ? kWidth : kRows); i += kLanes) {
        Floats x;
        std::memcpy(&x, of_b ? &b[k][i] : &a[k][i], sizeof x);
        Ints wide;
        exponents(x, least, wide);
        const Shorts e = __builtin_convertvector(wide, Shorts);
        std::memcpy(of_b ? &b_exponents[k][i] : &a_exponents[k][i], &e, sizeof e);
      }
    }
  }

  // c += a b for k in [first, first + kCount), in the first kWidth columns.
  template <uint32_t kCount, uint32_t kWidth>
  [[gnu::always_inline]] void add_step(uint32_t first, int32_t bits) {
    for (uint32_t row = 0; row < kRows; ++row) add_row_step<kCount, kWidth>(row, first, bits);
  }

 private:
  using Row = int16_t __attribute__((vector_size(32)));

  template <uint32_t kCount, uint32_t kWidth>
  [[gnu::always_inline]] void add_row_step(uint32_t row, uint32_t first, int32_t bits) {
    alignas(32) int16_t largest[kWidth];
    constexpr uint32_t kRowLanes = 16, kVectors = kWidth / kRowLanes;
    Row all[kVectors];
    for (Row& e : all) e = Row{} + int16_t(2 * kZeroExponent);
#pragma GCC unroll 16
    for (uint32_t k = first; k < first + kCount; ++k) {
#pragma GCC unroll 8
      for (uint32_t v = 0; v < kVectors; ++v) {
        Row e;
        std::memcpy(&e, &b_exponents[k][v * kRowLanes], sizeof e);
        e += a_exponents[k][row];
        all[v] = e > all[v] ? e : all[v];
      }
    }
    std::memcpy(largest, all, sizeof all);
    alignas(32) float sums[kWidth];
    alignas(32) int32_t exponent[kWidth];
    Ints worst = Ints{} + kZeroExponent;
    for (uint32_t i = 0; i < kWidth; i += kLanes) {
      Shorts of_products;
      Floats sum;
      std::memcpy(&of_products, &largest[i], sizeof of_products);
      std::memcpy(&sum, &c[row][i], sizeof sum);
      Ints of_sum;
      exponents(sum, -126, of_sum);
      Ints e = __builtin_convertvector(of_products, Ints);
      e = of_sum > e ? of_sum : e;
      // Of numbers so small the last bits are no float32; zeros alone have none.
      const Ints small = (e < bits - 126) & (e > kZeroExponent / 2);
      worst = small ? Ints{} + kSpecialExponent : worst;
      std::memcpy(&exponent[i], &e, sizeof e);
      e = e > bits - 126 ? e : Ints{} + (bits - 126);
      worst = e > worst ? e : worst;
      Floats align, unit;
      power_of_two(bits - e, align);
      power_of_two(e - bits, unit);
      // Without sign, in which sums of what is not finite may wrap.
      Words low = {}, high = {};
      convert(sum * align, low);
#pragma GCC unroll 16
      for (uint32_t k = 0; k < kCount; ++k) {
        Floats factor;
        std::memcpy(&factor, &b[first + k][i], sizeof factor);
        Words product;
        convert(a[first + k][row] * factor * align, product);
        (k < 8 ? low : high) += product;
      }
      // Sixteen products that are all as large as they can be leave the range of 32 bits.
      const Ints half = (reinterpret_cast<Ints>(low) >> 1) + (reinterpret_cast<Ints>(high) >> 1);
      Ints distance;
      absolute(half, distance);
      const Ints outside = distance > (1 << 30) - 128;
      worst = outside ? Ints{} + kSpecialExponent : worst;
      // Rounded to nearest, and a step back toward zero where that was up.
      const Ints total = reinterpret_cast<Ints>(low + high);
      const Floats nearest = __builtin_convertvector(total, Floats);
      Ints exact, rounded;
      absolute(total, exact);
      absolute(__builtin_convertvector(nearest, Ints), rounded);
      const Ints up = rounded > exact;
      const Floats result = reinterpret_cast<Floats>(reinterpret_cast<Ints>(nearest) + up) * unit;
      std::memcpy(&sums[i], &result, sizeof result);
    }
    int32_t highest = worst[0];
    for (uint32_t lane = 1; lane < kLanes; ++lane) highest = std::max(highest, worst[lane]);
    for (uint32_t i = 0; highest > kLargestExponent && i < kWidth; ++i) {
      sums[i] = add_products(c[row][i], &a[first][row], kRows, &b[first][i], kColumns, kCount,
                             exponent[i], bits);
    }
    std::memcpy(c[row], sums, sizeof sums);
  }
};

}  // namespace fovea::sim
