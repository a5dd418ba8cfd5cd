// The query rows of one sequence and one key/value head: which keys each sees, where its elements
// lie. A row is a (position, head of the group) pair, the group running fastest, so that
// grouped-query attention reads each key once for all its heads and a causal tile stays as narrow as
// without groups.
#pragma once

#include <algorithm>

#include "core/attention.h"

namespace fovea::FOVEA_TIER {

class AttentionRows {
 public:
  AttentionRows(const fovea_attention_spec& spec, const Sequence& sequence, int64_t batch,
                int64_t key_head)
      : spec_(spec),
        sequence_(sequence),
        batch_(batch),
        key_head_(key_head),
        group_(spec.query_heads / spec.key_heads),
        shift_(spec.alignment == FOVEA_TOP_LEFT ? 0 : sequence.key_length - sequence.query_length) {
  }

  int64_t position(int64_t row) const { return row / group_ + shift_; }
  int64_t head(int64_t row) const { return key_head_ * group_ + row % group_; }

  // Keys [low, high) are visible to a row; every mask but a block mask is such an interval. Both
  // rise with the row, so that a panel's interval is that of its first and last row.
  int64_t low(int64_t row) const {
    if (!spec_.has_window_left) return 0;
    return std::clamp<int64_t>(position(row) - spec_.window_left, 0, sequence_.key_length);
  }
  int64_t high(int64_t row) const {
    int64_t bound = sequence_.key_length;
    if (spec_.causal) bound = std::min(bound, position(row) + 1);
    if (spec_.has_window_right) bound = std::min(bound, position(row) + spec_.window_right + 1);
    return std::max<int64_t>(bound, 0);
  }

  // Element offset of (row, head) in a tensor of strides (batch, position, head).
  int64_t offset(const int64_t (&stride)[3], int64_t start, int64_t position, int64_t head) const {
    return (spec_.packed ? 0 : batch_ * stride[0]) + (start + position) * stride[1] +
           head * stride[2];
  }
  // Likewise in a tensor of strides (batch, head, query position): bias and weights.
  int64_t score_offset(const int64_t (&stride)[3], int64_t row) const {
    return (spec_.packed ? 0 : batch_ * stride[0]) + head(row) * stride[1] +
           (sequence_.query_start + row / group_) * stride[2];
  }
  int64_t lse_offset(int64_t row) const {
    return (spec_.packed ? 0 : batch_ * spec_.lse_stride[0]) + head(row) * spec_.lse_stride[1] +
           sequence_.query_start + row / group_;
  }
  int64_t alibi_offset(int64_t row) const {
    return batch_ * spec_.alibi_stride[0] + head(row) * spec_.alibi_stride[1];
  }

 protected:
  const fovea_attention_spec& spec_;
  const Sequence sequence_;
  const int64_t batch_, key_head_, group_, shift_;
};

}  // namespace fovea::FOVEA_TIER
