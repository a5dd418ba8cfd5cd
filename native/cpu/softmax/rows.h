// The query rows of one sequence and one key/value head: which keys each sees, where its elements
// lie. A row is a (position, head of the group) pair, the group running fastest, so that
// grouped-query attention reads each key once for all its heads and a causal tile stays as narrow as
// without groups.
#pragma once

#include <algorithm>

#include "cpu/pack.h"
#include "cpu/softmax/sequences.h"

namespace fovea::cpu::FOVEA_TIER {

template <typename Spec>
class Rows {
 public:
  Rows(const Spec& spec, const Sequence& sequence, int64_t batch, int64_t key_head)
      : spec_(spec),
        sequence_(sequence),
        batch_(batch),
        key_head_(key_head),
        group_(spec.query_heads / spec.key_heads),
        shift_(spec.alignment == FOVEA_TOP_LEFT ? 0 : sequence.key_length - sequence.query_length) {
  }

  const Spec& spec() const { return spec_; }
  const Sequence& sequence() const { return sequence_; }
  int64_t batch() const { return batch_; }
  int64_t key_head() const { return key_head_; }
  // Among the keys.
  int64_t position(int64_t row) const { return position_of(row / group_); }
  int64_t position_of(int64_t query) const { return query + shift_; }
  // Heads that share the key head.
  int64_t group() const { return group_; }
  int64_t query(int64_t row) const { return row / group_; }
  int64_t head(int64_t row) const { return key_head_ * group_ + row % group_; }

  // Keys [low, high) are visible to a row; every mask but a block mask is such an interval. Both
  // rise with the row, so that a panel's interval is that of its first and last row.
  int64_t low(int64_t row) const { return low_at(position(row)); }
  int64_t high(int64_t row) const { return high_at(position(row)); }
  int64_t low_at(int64_t position) const {
    if (!spec_.has_window_left) return 0;
    return std::clamp<int64_t>(position - spec_.window_left, 0, sequence_.key_length);
  }
  int64_t high_at(int64_t position) const {
    int64_t bound = sequence_.key_length;
    if (spec_.causal) bound = std::min(bound, position + 1);
    if (spec_.has_window_right) bound = std::min(bound, position + spec_.window_right + 1);
    return std::max<int64_t>(bound, 0);
  }

  // The first key from `key` on that a mask of blocks lets any of rows [begin, end) see: there is none.
  int64_t next_key(int64_t, int64_t, int64_t key) const { return key; }

  // The other way round: rows [row_low, row_high) see a key.
  int64_t row_low(int64_t key) const {
    if (!spec_.causal && !spec_.has_window_right) return 0;
    return row_at(key - (spec_.causal ? 0 : spec_.window_right));
  }
  int64_t row_high(int64_t key) const {
    return row_at(spec_.has_window_left ? key + spec_.window_left + 1
                                        : sequence_.query_length + shift_);
  }

  // Calls body(row, query, head) for rows [begin, end), without a division for each.
  template <typename Body>
  void for_each_row(int64_t begin, int64_t end, Body body) const {
    int64_t query = begin / group_, member = begin % group_;
    for (int64_t row = begin; row < end; ++row) {
      body(row, query, key_head_ * group_ + member);
      if (++member == group_) {
        member = 0;
        ++query;
      }
    }
  }

  // Rows [begin, begin + count) as float32, scaled. Fetches ahead, of the tile that follows too.
  template <typename T>
  void load_rows(const T* from, const int64_t (&stride)[3], int64_t begin, int count,
                 int64_t columns, float scale, float* to, int64_t to_row) const {
    const int64_t end = sequence_.query_length * group_;
    for_each_row(begin, begin + count, [&](int64_t row, int64_t i, int64_t head) {
      if (row + kRowsAhead < end) {
        prefetch_row(from + query_offset(stride, row + kRowsAhead), columns);
      }
      load_row(from + query_offset(stride, i, head), columns, scale, to);
      to += to_row;
    });
  }

  // Element offset of a row, or of a key, in a tensor of strides (batch, position, head).
  int64_t query_offset(const int64_t (&stride)[3], int64_t row) const {
    return query_offset(stride, row / group_, head(row));
  }
  int64_t query_offset(const int64_t (&stride)[3], int64_t query, int64_t head) const {
    return offset(stride, sequence_.query_start + query, head);
  }
  int64_t key_offset(const int64_t (&stride)[3], int64_t key) const {
    return offset(stride, sequence_.key_start + key, key_head_);
  }
  // Likewise in a tensor of strides (batch, head, query position): bias and weights.
  int64_t score_offset(const int64_t (&stride)[3], int64_t row) const {
    return score_offset(stride, row / group_, head(row));
  }
  int64_t score_offset(const int64_t (&stride)[3], int64_t query, int64_t head) const {
    return batch_ * stride[0] + head * stride[1] +
           (sequence_.query_start + query) * stride[2];
  }
  int64_t lse_offset(int64_t row) const {
    return batch_ * spec_.lse_stride[0] + head(row) * spec_.lse_stride[1] +
           sequence_.query_start + row / group_;
  }

 protected:
  // The first row at a position or behind it.
  int64_t row_at(int64_t position) const {
    return std::clamp<int64_t>(position - shift_, 0, sequence_.query_length) * group_;
  }

  int64_t offset(const int64_t (&stride)[3], int64_t position, int64_t head) const {
    return batch_ * stride[0] + position * stride[1] + head * stride[2];
  }

  const Spec& spec_;
  const Sequence sequence_;
  const int64_t batch_, key_head_, group_, shift_;
};

}  // namespace fovea::cpu::FOVEA_TIER
