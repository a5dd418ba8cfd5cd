// The inner loops of flash attention on one panel: kVectors * kLanes query rows, one to a SIMD
// lane, against one tile of keys. Everything is transposed, so maxima, sums and rescaling are
// lane-wise and need no shuffle:
//
//   S^T[key][row] = sum_d K[key][d] Q^T[d][row]       scores(): keys in registers, kKeyGroup at a
//   time O^T[d][row]   = alpha O^T + sum_key V[key][d] P^T[key][row] accumulate()
//
// Scores are in units of log2: the caller folds scale * log2(e) into Q^T, or has it multiply the scores where
// queries stay bfloat16. There, columns of keys and queries, and keys of values and weights, come in pairs.
#pragma once

#include "cpu/attention/forward_amx.h"
#include "cpu/attention/rows.h"
#include "cpu/pairs.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// One step of kGroup keys or columns of values: their elements, as `mask` leaves them, times rows from vector kFirst on.
// A function of its own, inlined at once: as a lambda, which has the sums by reference, it kept these in memory, at 0.6 of the speed.
template <int kVectors, int kFirst = 0, typename Mask>
[[gnu::always_inline]] inline void add_step(const float* elements, const float* rows, Mask mask,
                                            vfloat (&sum)[kGroup][kVectors]) {
  vfloat row[kVectors];
#pragma GCC unroll 3
  for (int v = kFirst; v < kVectors; ++v) {
    row[v] = load(rows + v * kLanes);
    pin(row[v]);
  }
#pragma GCC unroll 8
  for (int g = 0; g < kGroup; ++g) {
    vfloat value = mask(broadcast(elements + g));
    pin(value);
#pragma GCC unroll 3
    for (int v = kFirst; v < kVectors; ++v) sum[g][v] = Product::add(value, row[v], sum[g][v]);
  }
}

inline vfloat unmasked(vfloat v) { return v; }

#if !defined(FOVEA_TILES)

// Scores of keys [begin, end), both multiples of kGroup, by rows from vector kFirst on, from so many steps of a product;
// raises `maximum` to each row's largest. Of pairs they are multiplied by `scale`.
template <int kVectors, int kFirst = 0>
[[gnu::noinline]] void scores(const float* keys, const float* queries, int64_t steps, [[maybe_unused]] float scale,
                              int begin, int end, float* s, float* maximum) {
  constexpr int kWidth = kVectors * kLanes;
  vfloat highest[kVectors];
  for (int v = kFirst; v < kVectors; ++v) highest[v] = load(maximum + v * kLanes);
  for (int j = begin; j < end; j += kGroup) {
    const float* k = keys + int64_t(j) * steps;
    const float* q = queries;
    vfloat sum[kGroup][kVectors] = {};
    for (int64_t d = 0; d < steps; ++d, q += kWidth, k += kGroup) {
      add_step<kVectors, kFirst>(k, q, unmasked, sum);
    }
#pragma GCC unroll 8
    for (int g = 0; g < kGroup; ++g) {
#pragma GCC unroll 3
      for (int v = kFirst; v < kVectors; ++v) {
        if constexpr (kPairs) sum[g][v] *= scale;
        store(s + (j + g) * kWidth + v * kLanes, sum[g][v]);
        highest[v] = max(highest[v], sum[g][v]);
      }
    }
  }
  for (int v = kFirst; v < kVectors; ++v) store(maximum + v * kLanes, highest[v]);
}

// out = alpha * out + V^T P over keys [begin, ends[v]) for vector v, which rise, for `groups` groups of kGroup value
// columns; `tile` is the steps of a tile. The products of one tile are summed apart before they join `out`: the same cost, a smaller error.
template <int kVectors>
[[gnu::noinline]] void accumulate(const float* values, int64_t tile, int64_t groups, const float* p,
                                  int begin, const int* ends, const float* alpha, float* out) {
  constexpr int kWidth = kVectors * kLanes;
  const int end = ends[kVectors - 1];
  for (int64_t group = 0; group < groups; ++group, out += kGroup * kWidth) {
    vfloat sum[kGroup][kVectors] = {};
    const float* x = values + (group * tile + begin / Product::kTerms) * kGroup;
    const float* w = p + begin / Product::kTerms * int64_t{kWidth};
    int j = begin;
#if defined(__AVX512BF16__)
    // Of a pair whose other key lies outside nothing is multiplied: a weight of 0 does not undo a NaN.
    if (j % 2 != 0) {
      add_step<kVectors>(x, w, second_of_pairs, sum);
      ++j, x += kGroup, w += kWidth;
    }
#endif
    for (; j + Product::kTerms <= ends[0]; j += Product::kTerms, x += kGroup, w += kWidth) {
      add_step<kVectors>(x, w, unmasked, sum);
    }
    if constexpr (kVectors > 1) {
      for (; j + Product::kTerms <= ends[1]; j += Product::kTerms, x += kGroup, w += kWidth) {
        add_step<kVectors, 1>(x, w, unmasked, sum);
      }
    }
    if constexpr (kVectors > 2) {
      for (; j + Product::kTerms <= end; j += Product::kTerms, x += kGroup, w += kWidth) {
        add_step<kVectors, 2>(x, w, unmasked, sum);
      }
    }
#if defined(__AVX512BF16__)
    if (j < end) add_step<kVectors>(x, w, first_of_pairs, sum);
#endif
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

#endif

// Leaves weights of keys [begin, end) of a panel as pairs in the memory of the first half of them: weight(j, v), of
// rising j, and 0 beside them.
template <int kVectors, typename Weight>
[[gnu::always_inline]] inline void each_pair(float* p, int begin, int end, Weight weight) {
  constexpr int kWidth = kVectors * kLanes;
  for (int j = begin & ~1; j < end; j += 2) {
    for (int v = 0; v < kVectors; ++v) {
      const vfloat first = j < begin ? vfloat{} : weight(j, v);
      const vfloat second = j + 1 < end ? weight(j + 1, v) : vfloat{};
      store(p + j / 2 * kWidth + v * kLanes, round_to_pairs(first, second));
    }
  }
}
template <int kVectors>
[[gnu::noinline]] void pair_weights(float* p, int begin, int end) {
  each_pair<kVectors>(p, begin, end,
                      [&](int j, int v) { return load(p + (j * kVectors + v) * kLanes); });
}

// One step of the online softmax (Milakov and Gimelshein, arXiv 1805.02867): turns the scores of
// keys [begin, end) into exp2(s - m), moves the running maximum m and sum l, and leaves in `alpha`
// what earlier results must be multiplied by. A row without a visible key so far keeps m = -inf, l
// = 0. With kRounds the weights are left as pairs, see each_pair.
template <int kVectors, bool kRounds = false>
[[gnu::noinline]] void softmax_step(float* s, int begin, int end, const float* maximum, float* m,
                                    float* l, float* alpha, Fetcher fetcher = {}) {
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
  const auto weight = [&](int j, int v) {
    fetcher.next();
#if defined(FOVEA_TILES)
    if (v == 0 && j % 32 == 0) keep_tiles_awake();
#endif
    const vfloat p = exp2(load(s + j * kWidth + v * kLanes) - base[v]);
    sum[v] += p;
    return p;
  };
  if constexpr (kRounds) {
    each_pair<kVectors>(s, begin, end, weight);
  } else {
    for (int j = begin; j < end; ++j) {
      for (int v = 0; v < kVectors; ++v) store(s + j * kWidth + v * kLanes, weight(j, v));
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    float* at = l + v * kLanes;
    store(at, fma(load(at), load(alpha + v * kLanes), sum[v]));
  }
  fetcher.rest();
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
