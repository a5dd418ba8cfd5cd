// The rows of a tile of positions, in an order.
#pragma once

#include "cpu/norm/layout.h"
#include "cpu/simd.h"

namespace fovea::norm::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

class Walk {
 public:
  // Heads of a position first where these lie closer than positions do.
  Walk(const Spec& spec, const Tile& tile, const int64_t (&stride)[3])
      : length_(spec.length),
        heads_(spec.heads),
        tile_(tile),
        heads_first_(stride[1] >= stride[2] || spec.length == 1),
        rows_((tile.end - tile.first) * spec.heads) {
    begin();
  }

  bool there() const { return rows_ > 0; }
  int64_t head() const { return head_; }

  void step() {
    --rows_;
    if (heads_first_) {
      if (++head_ < heads_) return;
      head_ = 0;
      if (++position_ == length_) position_ = 0, ++batch_;
    } else {
      if (++position_ == length_) position_ = 0, ++batch_;
      if (batch_ * length_ + position_ < tile_.end) return;
      begin();
      ++head_;
    }
  }

  // Of its element 0.
  int64_t at(const int64_t (&stride)[3]) const {
    return batch_ * stride[0] + position_ * stride[1] + head_ * stride[2];
  }
  int64_t at(const int64_t (&stride)[2]) const {
    return batch_ * stride[0] + position_ * stride[1] + head_;
  }

 private:
  void begin() {
    batch_ = tile_.first / length_;
    position_ = tile_.first % length_;
  }

  int64_t length_, heads_;
  Tile tile_;
  bool heads_first_;
  int64_t rows_;
  int64_t batch_, position_, head_ = 0;
};

}  // namespace fovea::norm::cpu::FOVEA_TIER
