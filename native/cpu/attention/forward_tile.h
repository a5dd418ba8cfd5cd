// The inner loops of flash attention on one panel: kVectors * kLanes query rows, one to a SIMD
// lane, against one tile of keys. Everything is transposed, so maxima, sums and rescaling are
// lane-wise and need no shuffle:
//
//   S^T[key][row] = sum_d K[key][d] Q^T[d][row]       scores(): keys in registers, kKeyGroup at a
//   time O^T[d][row]   = alpha O^T + sum_key V[key][d] P^T[key][row] accumulate()
//
// Scores are in units of log2: the caller folds scale * log2(e) into Q^T.
#pragma once

#include "cpu/attention/rows.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// Scores of keys [begin, end), both multiples of kGroup; raises `maximum` to each row's largest.
template <int kVectors>
[[gnu::noinline]] void scores(const float* keys, const float* queries, int64_t head_dim, int begin,
                              int end, float* s, float* maximum) {
  constexpr int kWidth = kVectors * kLanes;
  vfloat highest[kVectors];
  for (int v = 0; v < kVectors; ++v) highest[v] = load(maximum + v * kLanes);
  for (int j = begin; j < end; j += kGroup) {
    const float* k = keys + int64_t(j) * head_dim;
    const float* q = queries;
    vfloat sum[kGroup][kVectors] = {};
    for (int64_t d = 0; d < head_dim; ++d, q += kWidth, k += kGroup) {
      vfloat row[kVectors];
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) {
        row[v] = load(q + v * kLanes);
        pin(row[v]);
      }
#pragma GCC unroll 8
      for (int g = 0; g < kGroup; ++g) {
        vfloat key = broadcast(k + g);
        pin(key);
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) sum[g][v] = fma(key, row[v], sum[g][v]);
      }
    }
#pragma GCC unroll 8
    for (int g = 0; g < kGroup; ++g) {
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) {
        store(s + (j + g) * kWidth + v * kLanes, sum[g][v]);
        highest[v] = max(highest[v], sum[g][v]);
      }
    }
  }
  for (int v = 0; v < kVectors; ++v) store(maximum + v * kLanes, highest[v]);
}

// out = alpha * out + V^T P over keys [begin, end), for `groups` groups of kGroup value columns.
// The products of one tile are summed apart before they join `out`: the same cost, a smaller error.
template <int kVectors>
[[gnu::noinline]] void accumulate(const float* values, int64_t tile, int64_t groups, const float* p,
                                  int begin, int end, const float* alpha, float* out) {
  constexpr int kWidth = kVectors * kLanes;
  for (int64_t group = 0; group < groups; ++group, out += kGroup * kWidth) {
    const float* x = values + (group * tile + begin) * kGroup;
    const float* w = p + int64_t(begin) * kWidth;
    vfloat sum[kGroup][kVectors] = {};
    for (int j = begin; j < end; ++j, x += kGroup, w += kWidth) {
      vfloat row[kVectors];
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) {
        row[v] = load(w + v * kLanes);
        pin(row[v]);
      }
#pragma GCC unroll 8
      for (int g = 0; g < kGroup; ++g) {
        vfloat value = broadcast(x + g);
        pin(value);
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) sum[g][v] = fma(value, row[v], sum[g][v]);
      }
    }
    vfloat decay[kVectors];
    for (int v = 0; v < kVectors; ++v) decay[v] = load(alpha + v * kLanes);
#pragma GCC unroll 8
    for (int g = 0; g < kGroup; ++g) {
#pragma GCC unroll 3
      for (int v = 0; v < kVectors; ++v) {
        float* o = out + g * kWidth + v * kLanes;
        store(o, fma(load(o), decay[v], sum[g][v]));
      }
    }
  }
}

// One step of the online softmax (Milakov and Gimelshein, arXiv 1805.02867): turns the scores of
// keys [begin, end) into exp2(s - m), moves the running maximum m and sum l, and leaves in `alpha`
// what earlier results must be multiplied by. A row without a visible key so far keeps m = -inf, l
// = 0.
template <int kVectors>
[[gnu::noinline]] void softmax_step(float* s, int begin, int end, const float* maximum, float* m,
                                    float* l, float* alpha) {
  constexpr int kWidth = kVectors * kLanes;
  vfloat base[kVectors], sum[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const vfloat before = load(m + v * kLanes);
    const vfloat after = max(before, load(maximum + v * kLanes));
    base[v] = select(after == splat(-kInfinity), splat(0.0f), after);
    sum[v] = splat(0.0f);
    store(m + v * kLanes, after);
    store(alpha + v * kLanes, exp2(before - base[v]));
  }
  for (int j = begin; j < end; ++j) {
    for (int v = 0; v < kVectors; ++v) {
      float* at = s + j * kWidth + v * kLanes;
      const vfloat p = exp2(load(at) - base[v]);
      store(at, p);
      sum[v] += p;
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    float* at = l + v * kLanes;
    store(at, fma(load(at), load(alpha + v * kLanes), sum[v]));
  }
}

// Sets the scores of keys outside [low, high) of each row, counted from the tile's start, to -inf,
// and raises `maximum` to each row's largest score of keys [begin, end).
template <int kVectors>
[[gnu::noinline]] void mask(float* s, int begin, int end, const int32_t* low, const int32_t* high,
                            float* maximum) {
  constexpr int kWidth = kVectors * kLanes;
  for (int v = 0; v < kVectors; ++v) {
    const vint first = load(low + v * kLanes), last = load(high + v * kLanes);
    vfloat highest = load(maximum + v * kLanes);
    for (int j = begin; j < end; ++j) {
      float* at = s + j * kWidth + v * kLanes;
      const vint key = splat(int32_t(j));
      const vfloat x = select((key >= first) & (key < last), load(at), splat(-kInfinity));
      store(at, x);
      highest = max(highest, x);
    }
    store(maximum + v * kLanes, highest);
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
