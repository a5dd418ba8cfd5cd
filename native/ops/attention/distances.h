// Distances between queries and keys, which position_keys has rows of.
#pragma once

#include <algorithm>

#include "core/everywhere.h"
#include "ops/attention/operands.h"

namespace fovea::attention {

// From `low` to `high`, both included; none where low is more than high.
struct Distances {
  int64_t low, high;

  FOVEA_EVERYWHERE int64_t count() const { return high < low ? 0 : high - low + 1; }
};

// Each pos_i - j that causal mask and windows let a pair have, of a sequence of so many queries and keys. A
// shorter one has no other.
FOVEA_EVERYWHERE inline Distances distances(const Spec& spec, int64_t queries, int64_t keys) {
  if (queries == 0 || keys == 0) return {0, -1};
  const bool left = spec.alignment == FOVEA_TOP_LEFT;
  Distances all = {1 - (left ? keys : queries), (left ? queries : keys) - 1};
  if (spec.causal && all.low < 0) all.low = 0;
  if (spec.has_window_right && all.low < -spec.window_right) all.low = -spec.window_right;
  if (spec.has_window_left && all.high > spec.window_left) all.high = spec.window_left;
  return all;
}

// Of all sequences that sizes allow.
inline Distances distances(const Spec& spec) {
  const int64_t keys = spec.packed ? std::min(spec.key_length, spec.key_total) : spec.key_length;
  return distances(spec, spec.query_length, keys);
}

}  // namespace fovea::attention
