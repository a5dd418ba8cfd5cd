// The inner loop of the backward pass: one query row against keys, head_dim in the SIMD lanes.
//
//   t = tanh(u) = 1 - 2 / (1 + e^(2 u));  g = ds (1 - t^2)
//   dquery += sum_j g (times w, once all is summed);  dkey_j += w g;  dweight += sum_j ds t
//
// Vectors of one pair share a division, as the terms of a score do, so that a row's gradient depends on
// nothing but its keys.
#pragma once

#include "cpu/additive/score.h"

namespace fovea::additive::cpu::FOVEA_TIER {

#if defined(__AVX512F__)
constexpr int kDimVectors = 4;  // 4 times row, weight, dquery and dweight, and as much to compute with, of 32
#else
constexpr int kDimVectors = 2;
#endif

// All at a vector of head_dim: of a row, of keys begin to end, and the sums.
struct Gradient {
  const float *row, *weights, *ds;
  const float* keys;
  float* dkeys;
  int64_t key_row;  // of keys and dkeys
  int begin, end;
  float *dquery, *dweight;  // added to; dquery without w
};

// t = 1 - 2 / d of each vector.
template <int kVectors>
inline void divide(const vfloat (&d)[kVectors], vfloat (&t)[kVectors]) {
  const vfloat one = splat(1.0f), two = splat(-2.0f);
  if constexpr (kVectors == 1) {
    t[0] = one + two / d[0];
  } else if constexpr (kVectors == 2) {
    const vfloat both = two / (d[0] * d[1]);
    t[0] = fma(both, d[1], one);
    t[1] = fma(both, d[0], one);
  } else if constexpr (kVectors == 3) {
    const vfloat first = d[0] * d[1], all = two / (first * d[2]), of_first = all * d[2];
    t[0] = fma(of_first, d[1], one);
    t[1] = fma(of_first, d[0], one);
    t[2] = fma(all, first, one);
  } else {
    const vfloat first = d[0] * d[1], second = d[2] * d[3];
    const vfloat all = two / (first * second), of_first = all * second, of_second = all * first;
    t[0] = fma(of_first, d[1], one);
    t[1] = fma(of_first, d[0], one);
    t[2] = fma(of_second, d[3], one);
    t[3] = fma(of_second, d[2], one);
  }
}

template <int kVectors, bool kLimit>
[[gnu::noinline]] void add_gradient(const Gradient& g) {
  const vfloat one = splat(1.0f);
  [[maybe_unused]] const vfloat most = splat(kMostDenominator);
  vfloat row[kVectors], dquery[kVectors] = {}, dweight[kVectors] = {};
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) row[v] = load(g.row + v * kLanes);
  const float* key = g.keys + g.begin * g.key_row;
  float* dkey = g.dkeys + g.begin * g.key_row;
  for (int k = g.begin; k < g.end; ++k, key += g.key_row, dkey += g.key_row) {
    vfloat d[kVectors], t[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      d[v] = fma(row[v], load(key + v * kLanes), one);
      if constexpr (kLimit) d[v] = min(most, d[v]);
    }
    divide(d, t);
    const vfloat ds = broadcast(g.ds + k);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const vfloat slope = fma(-t[v], t[v], one) * ds;
      dquery[v] += slope;
      dweight[v] = fma(ds, t[v], dweight[v]);
      float* const to = dkey + v * kLanes;
      store(to, fma(load(g.weights + v * kLanes), slope, load(to)));
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    float* const q = g.dquery + v * kLanes;
    float* const w = g.dweight + v * kLanes;
    store(q, load(q) + dquery[v]);
    store(w, load(w) + dweight[v]);
  }
}

template <bool kLimit>
inline void add_gradient(int vectors, const Gradient& g) {
  if constexpr (kDimVectors == 4) {
    if (vectors == 4) return add_gradient<4, kLimit>(g);
    if (vectors == 3) return add_gradient<3, kLimit>(g);
  }
  if (vectors == 2) return add_gradient<2, kLimit>(g);
  return add_gradient<1, kLimit>(g);
}

}  // namespace fovea::additive::cpu::FOVEA_TIER
