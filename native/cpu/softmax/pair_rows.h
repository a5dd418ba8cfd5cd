// The query rows of a sequence, and what they see of a tile of keys.
#pragma once

#include <algorithm>

#include "cpu/product.h"
#include "cpu/softmax/rows.h"

namespace fovea::cpu::FOVEA_TIER {

template <typename Spec>
class PairRows : public Rows<Spec> {
 public:
  using Rows<Spec>::Rows;

  // Of a query, within keys [begin, end) of the tile.
  Span seen_within(int64_t i, int begin, int end) const {
    return {int(std::clamp<int64_t>(this->low_at(i + this->shift_) - key_begin_, begin, end)),
            int(std::clamp<int64_t>(this->high_at(i + this->shift_) - key_begin_, begin, end))};
  }

  // Rows are what they were loaded as, and weights are those of scores.
  template <typename Sweep>
  static void prepare(int, Sweep) {}
  static void weigh_keys(int, int, int, float*) {}

 protected:
  // The first of each that the tile has.
  int64_t row_begin_ = 0, key_begin_ = 0;
};

}  // namespace fovea::cpu::FOVEA_TIER
