// Which tokens the rows of a table have: a counting sort that keeps the order of tokens.
#pragma once

#include <bit>

#include "cpu/embedding/kernels.h"
#include "cpu/vectors.h"

namespace fovea::embedding::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// Which of the indices that a vector has are within [begin, end), but for one that is skipped.
struct Within {
  vint begin, end, skipped;

  Within(int64_t first, int64_t last, int64_t none)
      : begin(splat(int32_t(first))), end(splat(int32_t(last))), skipped(splat(int32_t(none))) {}
  vint operator()(vint v) const { return (v >= begin) & (v < end) & (v != skipped); }
};

// Calls body(token, index) for a sequence's.
template <typename Body>
inline void for_each_within(const Within& within, const int32_t* at, int64_t count, int64_t token,
                            Body body) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    // Bit by bit: what each lane is, no processor foresees.
    for (uint32_t lanes = lanes_of(within(load_vector(at + i)));
         lanes != 0; lanes &= lanes - 1) {
      const int64_t it = i + std::countr_zero(lanes);
      body(token + it, at[it]);
    }
  }
  for (; i < count; ++i) {
    if (within(splat(at[i]))[0] != 0) body(token + i, at[i]);
  }
}

inline int64_t count_within(const Within& within, const int32_t* at, int64_t count) {
  vint sums{};
  int64_t i = 0, total = 0;
  for (; i + kLanes <= count; i += kLanes) {
    sums -= within(load_vector(at + i));
  }
  for (int lane = 0; lane < kLanes; ++lane) total += sums[lane];
  for (; i < count; ++i) total -= within(splat(at[i]))[0];
  return total;
}

// Rows of one of the ranges. The tokens of those before come first.
inline void list_range(const Spec& spec, const Sums& sums, int64_t range) {
  if (range >= sums.ranges) return;
  const Indices& of = sums.gradient.of;
  const int64_t begin = of.rows * range / sums.ranges, end = of.rows * (range + 1) / sums.ranges;
  const Within before(0, begin, sums.gradient.skipped), here(begin, end, sums.gradient.skipped);
  int64_t token = 0;
  for (int64_t b = 0; b < spec.batch; ++b) {
    token += count_within(before, of.at + b * of.stride, spec.length);
  }
  if (range == 0) sums.starts[0] = 0;
  int32_t* const ends = sums.starts + 1;
  std::fill(ends + begin, ends + end, 0);
  const auto for_each_token = [&](auto body) {
    for (int64_t b = 0; b < spec.batch; ++b) {
      for_each_within(here, of.at + b * of.stride, spec.length, b * spec.length, body);
    }
  };
  for_each_token([&](int64_t, int32_t row) { ++ends[row]; });
  for (int64_t row = begin; row < end; ++row) {
    const int32_t count = ends[row];
    ends[row] = int32_t(token);
    token += count;
  }
  // Each from its beginning to its end.
  for_each_token([&](int64_t it, int32_t row) { sums.order[ends[row]++] = int32_t(it); });
}

}  // namespace fovea::embedding::cpu::FOVEA_TIER
