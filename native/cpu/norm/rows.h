// What both passes do with rows: the moments of one are found while another is written, so that memory reads
// and writes at the same time.
#pragma once

#include "cpu/norm/walk.h"
#include "cpu/vectors.h"

namespace fovea::norm::cpu::FOVEA_TIER {

// A vector of elements of a row, or one, as V has them.
template <typename V, typename T>
inline V get(const T* from) {
  if constexpr (std::is_same_v<V, float>) {
    return to_float(*from);
  } else {
    return load_vector(from);
  }
}
inline void put(float* to, float v) { *to = v; }
inline void put(float* to, vfloat v) { store_vector(to, v); }
using fovea::cpu::FOVEA_TIER::fma;
inline float fma(float a, float b, float c) { return a * b + c; }
// The same number in all that V has.
template <typename V>
inline V all(float x) {
  return x - V{};
}

// What is read soon behind an element. Inlined at once: as a function it has no effect, and calls of it were
// removed.
template <typename T>
[[gnu::always_inline]] inline void fetch_behind(const T* element) {
  constexpr int64_t kBytes = 2048;
  __builtin_prefetch(reinterpret_cast<const char*>(element) + kBytes);
}

// One walk over two rows. add(i, to) adds the terms of the elements from i on of one to kSums sums, whose
// totals are given back: in float32 over a chunk of elements, so that no term is rounded more than 38 times.
// make(i, V) gives elements of the other, which go past the caches if `streams`.
template <bool kAdds, bool kWrites, int kSums, typename Add, typename T, typename Make>
inline void sweep(int64_t width, double (&totals)[kSums], Add add, T* to, bool streams, Make make) {
  constexpr int kWays = kSums > 2 ? 1 : 16 / kLanes;  // as many as there are registers for
  constexpr int64_t kChunk = 32 * kWays * kLanes, kAhead = 256;
  if constexpr (kAdds) std::fill_n(totals, kSums, 0.0);
  int64_t i = 0;
  while (i + 16 <= width) {
    const int64_t end = std::min(width, i + kChunk);
    vfloat sums[kWays][kSums] = {};
    for (; i + 16 <= end; i += 16) {
      if constexpr (kAdds) {
#pragma GCC unroll 2
        for (int k = 0; k < 16 / kLanes; ++k) add(i + k * kLanes, sums[k % kWays]);
      }
      if constexpr (kWrites) {
        if (!streams) __builtin_prefetch(to + i + kAhead, 1);  // a line is read before it is written
        put16(to + i, streams, [&](int64_t k) { return make(i + k, vfloat{}); });
      }
    }
    for (int n = 0; n < kSums && kAdds; ++n) {
      totals[n] += double(sum_of(kWays == 1 ? sums[0][n] : sums[0][n] + sums[kWays - 1][n]));
    }
  }
  float last[kSums] = {}, left[16] = {};
  for (int64_t k = 0; k < width - i; ++k) {
    if constexpr (kAdds) add(i + k, last);
    if constexpr (kWrites) left[k] = make(i + k, float{});
  }
  for (int n = 0; n < kSums && kAdds; ++n) totals[n] += double(last[n]);
  for (int64_t k = 0; k < width - i && kWrites; k += 8) {
    store_some(to + i + k, load8(left + k), std::min<int64_t>(width - i - k, 8));
  }
}

// What makes z of a row. The mean is pivot + rest, a float near it and how far it is: x - pivot loses nothing
// where x is near, so that a row far from 0 keeps its digits.
struct Moments {
  float pivot = 0, rest = 0, inverse = 0;

  template <typename V>
  V z(V x) const {
    return fma(V(x - pivot), all<V>(inverse), all<V>(-rest * inverse));
  }

  // From the sums of d = x - pivot and of d^2 over a row of 1 / share elements. False where the mean is so far
  // from the pivot that the squares about it would be a difference of two much larger ones: then the pivot is
  // there now, for sums anew. The last try takes what it has: where the mean lies half way between two floats
  // that is as near as can be.
  bool find(double sum, double squares, double share, const Spec& spec, bool is_last) {
    double variance = squares * share;
    if (spec.centered) {
      const double distance = sum * share, square = distance * distance;
      if (square > variance / 2 && !is_last) {
        pivot = float(double(pivot) + distance);
        return false;
      }
      rest = float(distance);
      variance = square > variance ? 0 : variance - square;
    }
    inverse = float(1 / __builtin_sqrt(variance + double(spec.epsilon)));
    return true;
  }
};
constexpr int kTries = 3;

// A pivot that is near the mean of most rows, and equal elements themselves. It is finite, so that the mean of
// an infinity and others is that infinity.
template <typename T>
inline float pivot_of(const T* x, const Spec& spec) {
  if (!spec.centered) return 0;
  const float pivot = spec.width < 8 ? to_float(*x) : sum_of(load8(x) * 0.125f);
  return pivot - pivot == 0 ? pivot : 0;
}

// A tensor of rows.
template <typename T>
struct Rows {
  T* data;
  const int64_t (&stride)[3];

  T* at(const Walk& walk) const { return data + walk.at(stride); }
};

// The row of weight or bias of a head; null where there is none.
inline const float* of_head(const float* rows, const Walk& walk, const int64_t (&stride)[1]) {
  return rows == nullptr ? nullptr : rows + walk.head() * stride[0];
}

// A tensor this large whose rows are whole lines of a cache goes past the caches.
template <typename T>
bool is_streamed(const Spec& spec, const Rows<T>& to) {
  const int64_t bytes = sizeof(T);
  if (spec.batch * spec.length * spec.heads * spec.width * bytes < kStreamedBytes) return false;
  const int64_t all = reinterpret_cast<intptr_t>(to.data) | spec.width * bytes | to.stride[0] * bytes |
                      to.stride[1] * bytes | to.stride[2] * bytes;
  return all % 64 == 0;
}

}  // namespace fovea::norm::cpu::FOVEA_TIER
