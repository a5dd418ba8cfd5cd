// The largest weights of a row and the keys that have them, in falling order, kept where the caller gets them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/softmax/rows.h"

namespace fovea::cpu::FOVEA_TIER {

class TopWeights {
 public:
  // Of a row.
  template <typename Spec, typename Operands>
  TopWeights(const Rows<Spec>& rows, const Operands& operands, int64_t query, int64_t head)
      : weights_(operands.top_weights +
                 rows.score_offset(rows.spec().top_weights_stride, query, head)),
        keys_(operands.top_keys + rows.score_offset(rows.spec().top_keys_stride, query, head)),
        count_(rows.spec().top_count) {}

  void clear() const {
    std::fill_n(weights_, count_, 0.0f);
    std::fill_n(keys_, count_, -1);
  }

  // What a weight must be above to be listed.
  float least() const { return weights_[count_ - 1]; }

  // Keys come in rising order: of equal weights the first stays before the others.
  void add(float weight, int64_t key) const {
    if (!is_above(weight, least())) return;
    int64_t at = count_ - 1;
    for (; at > 0 && is_above(weight, weights_[at - 1]); --at) {
      weights_[at] = weights_[at - 1];
      keys_[at] = keys_[at - 1];
    }
    weights_[at] = weight;
    keys_[at] = int32_t(key);
  }

 private:
  // NaN is above all else.
  static bool is_above(float x, float y) { return !(x <= y) && y == y; }

  float* weights_;
  int32_t* keys_;
  int64_t count_;
};

}  // namespace fovea::cpu::FOVEA_TIER
