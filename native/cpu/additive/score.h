// The inner loop of additive attention: scores of one query row against vectors of keys.
//
//   sum_a w_a tanh(u_a) = sum_a w_a - 2 sum_a w_a / (1 + e^(2 u_a))
//   e^(2 (q + b + k)) = e^(2 (q + b)) e^(2 k)
//
// so that a tanh is a multiply-add, once rows and keys have been raised to their powers; and four terms
// share one division: w0 / d0 + w1 / d1 = (w0 d1 + w1 d0) / (d0 d1), and so again. IEEE's division, not
// an estimate of the reciprocal, whose bits differ from one processor to another.
#pragma once

#include "cpu/additive/layout.h"
#include "cpu/simd.h"

namespace fovea::additive::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// e^(2 u) grows no further: four denominators have a product, and tanh is 1 to 2e-9.
constexpr float kMostPower = 0x1p30f;

// Of a head: its weights, scaled to at most 2, and what makes a score, in units of log2, of their sum.
struct HeadFactors {
  float scale, constant;
};

// Vectors of keys that share what is read of a row.
#if defined(__AVX512F__)
constexpr int kKeyVectors = 4;
#else
constexpr int kKeyVectors = 2;
#endif

// s[0, kVectors * kLanes) of a row. `row` and `weights` have `depth` elements, a multiple of kShared,
// and `keys` as many rows.
template <int kVectors, bool kLimit>
[[gnu::noinline]] void score_row(const float* row, const float* weights, const float* keys,
                                 int64_t key_row, int64_t depth, HeadFactors factors, float* s) {
  // So many terms at a time, so that none joins a sum that is much larger.
  constexpr int64_t kPart = 64;
  const vfloat one = splat(1.0f);
  [[maybe_unused]] const vfloat most = splat(kMostPower);
  vfloat total[kVectors] = {};
  const float* key[kShared] = {keys, keys + key_row, keys + 2 * key_row, keys + 3 * key_row};
  for (int64_t begin = 0; begin < depth; begin += kPart) {
    const int64_t end = begin + kPart < depth ? begin + kPart : depth;
    vfloat sum[kVectors] = {};
    for (int64_t a = begin; a < end; a += kShared) {
      vfloat q[kShared], w[kShared];
#pragma GCC unroll 4
      for (int i = 0; i < kShared; ++i) {
        q[i] = broadcast(row + a + i);
        w[i] = broadcast(weights + a + i);
      }
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        vfloat d[kShared];
#pragma GCC unroll 4
        for (int i = 0; i < kShared; ++i) {
          d[i] = fma(q[i], load(key[i] + v * kLanes), one);
          if constexpr (kLimit) d[i] = min(most, d[i]);
        }
        const vfloat d01 = d[0] * d[1], d23 = d[2] * d[3];
        const vfloat n01 = fma(w[1], d[0], w[0] * d[1]), n23 = fma(w[3], d[2], w[2] * d[3]);
        sum[v] += fma(n23, d01, n01 * d23) / (d01 * d23);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kShared; ++i) key[i] += kShared * key_row;
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) total[v] += sum[v];
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    store(s + v * kLanes, fma(total[v], splat(factors.scale), splat(factors.constant)));
  }
}

template <bool kLimit>
inline void score_row(int vectors, const float* row, const float* weights, const float* keys,
                      int64_t key_row, int64_t depth, HeadFactors factors, float* s) {
  if constexpr (kKeyVectors == 4) {
    if (vectors == 4) return score_row<4, kLimit>(row, weights, keys, key_row, depth, factors, s);
    if (vectors == 3) return score_row<3, kLimit>(row, weights, keys, key_row, depth, factors, s);
  }
  if (vectors == 2) return score_row<2, kLimit>(row, weights, keys, key_row, depth, factors, s);
  return score_row<1, kLimit>(row, weights, keys, key_row, depth, factors, s);
}

}  // namespace fovea::additive::cpu::FOVEA_TIER
