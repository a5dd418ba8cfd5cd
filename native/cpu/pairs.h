// Products of float32, or of pairs of bfloat16: what the inner loops of a tier add up.
#pragma once

#include "cpu/simd.h"

namespace fovea::cpu::FOVEA_TIER {

// What a lane has of each factor, and their product added to a sum. kTerms: elements of a sum in one step.
#if defined(__AVX512BF16__)
// Two neighbours along a sum in one lane. VDPBF16PS adds their products one after the other, each rounded to float32,
// at twice the rate of fused multiply-adds; what is smaller than a normal number counts as 0.
struct Product {
  static constexpr int kTerms = 2;
  static vfloat add(vfloat a, vfloat b, vfloat sum) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
};

// The first and the second of pairs alone; the others are 0.
inline vfloat first_of_pairs(vfloat v) { return from_bits(bits(v) & splat(int32_t{0xffff})); }
inline vfloat second_of_pairs(vfloat v) { return from_bits(bits(v) & splat(int32_t(0xffff0000))); }

// Two floats, rounded, as a pair.
inline vfloat round_to_pairs(vfloat first, vfloat second) {
  const vint words = reinterpret_cast<vint>(_mm512_cvtne2ps_pbh(second, first));
  alignas(64) static constexpr uint16_t kInterleave[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                           8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return from_bits(vint(_mm512_permutexvar_epi16(_mm512_load_si512(kInterleave), __m512i(words))));
}

// Sixteen elements of each of two rows as pairs.
inline vfloat pairs_of(__m256i first, __m256i second) {
  return from_bits(vint(_mm512_or_si512(_mm512_cvtepu16_epi32(first),
                                        _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16))));
}
#else
vfloat round_to_pairs(vfloat, vfloat);  // is called by no code of this tier
struct Product {
  static constexpr int kTerms = 1;
  static vfloat add(vfloat a, vfloat b, vfloat sum) { return fma(a, b, sum); }
};
#endif
#if defined(FOVEA_TILES)
constexpr bool kTiles = true;  // sums take tiles of pairs
#else
constexpr bool kTiles = false;
#endif
constexpr bool kPairs = Product::kTerms == 2;

// Keys of a step of a sum over them.
constexpr int kStepKeys = kTier.terms;

// Steps of a product, filled up to what its kernels take at once.
inline int64_t round_to_steps(int64_t steps) {
  constexpr int64_t kSteps = kTier.terms / Product::kTerms;
  return (steps + kSteps - 1) / kSteps * kSteps;
}

}  // namespace fovea::cpu::FOVEA_TIER
