// The inner loop of the backward pass: one query row against keys, head_dim in the SIMD lanes.
//
//   t = tanh(u);  g = ds (1 - t^2)
//   dquery = sum_j g, times w once all is summed;  dkey_j += w g;  dweight += sum_j ds t
//
// From e^(2 u), r = 2 / (1 + e^(2 u)) gives 1 - t = r and 1 - t^2 = e^(2 u) r^2, both to a few ulp
// wherever tanh is close to 1 or to -1. Vectors of one pair share a division, as the terms of a score
// do, so that a row's gradient depends on nothing but its keys.
#pragma once

#include "cpu/additive/score.h"

namespace fovea::additive::cpu::FOVEA_TIER {

#if defined(__AVX512F__)
constexpr int kDimVectors = 4;  // of a row, its dquery and dweight each: 12 of 32 registers
#else
constexpr int kDimVectors = 2;  // 6 of 16
#endif

// All at a vector of head_dim: of a row, of keys begin to end, and the sums.
struct Gradient {
  const float *row, *weights, *ds;
  const float* keys;
  float* dkeys;
  int64_t key_row;  // of keys and dkeys
  int begin, end;
  float *dquery, *dweight;  // set to sums of g, and of ds t
};

// 2 / d of each vector.
template <int kVectors>
inline void divide(const vfloat (&d)[kVectors], vfloat (&r)[kVectors]) {
  const vfloat two = splat(2.0f);
  if constexpr (kVectors == 1) {
    r[0] = two / d[0];
  } else if constexpr (kVectors == 2) {
    const vfloat both = two / (d[0] * d[1]);
    r[0] = both * d[1];
    r[1] = both * d[0];
  } else if constexpr (kVectors == 3) {
    const vfloat first = d[0] * d[1], all = two / (first * d[2]), of_first = all * d[2];
    r[0] = of_first * d[1];
    r[1] = of_first * d[0];
    r[2] = all * first;
  } else {
    const vfloat first = d[0] * d[1], second = d[2] * d[3];
    const vfloat all = two / (first * second), of_first = all * second, of_second = all * first;
    r[0] = of_first * d[1];
    r[1] = of_first * d[0];
    r[2] = of_second * d[3];
    r[3] = of_second * d[2];
  }
}

template <int kVectors, bool kLimit>
[[gnu::noinline]] void add_gradient(const Gradient& g) {
  const vfloat one = splat(1.0f);
  [[maybe_unused]] const vfloat most = splat(kMostPower);
  vfloat row[kVectors], dquery[kVectors] = {}, parts[kVectors] = {}, all = {};
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) row[v] = load(g.row + v * kLanes);
  const float* key = g.keys + g.begin * g.key_row;
  float* dkey = g.dkeys + g.begin * g.key_row;
  for (int k = g.begin; k < g.end; ++k, key += g.key_row, dkey += g.key_row) {
    vfloat power[kVectors], d[kVectors], r[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      power[v] = row[v] * load(key + v * kLanes);
      if constexpr (kLimit) power[v] = min(most, power[v]);
      d[v] = power[v] + one;
    }
    divide(d, r);
    const vfloat ds = broadcast(g.ds + k);
    all += ds;
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const vfloat part = r[v] * ds, slope = power[v] * r[v] * part;
      parts[v] += part;
      dquery[v] += slope;
      float* const to = dkey + v * kLanes;
      store(to, fma(load(g.weights + v * kLanes), slope, load(to)));
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    store(g.dquery + v * kLanes, dquery[v]);
    store(g.dweight + v * kLanes, all - parts[v]);
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
