// What multiplies weights and the output: the sigmoids of the caller's logits.
#pragma once

#include "cpu/attention/forward_layout.h"
#include "cpu/attention/rows.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// The sigmoids of `count` elements, the last vector filled up; `to` is on a boundary of vectors.
inline void apply_sigmoid(int64_t count, float* to) {
  for (int64_t k = 0; k < count; k += kLanes) store(to + k, sigmoid(load(to + k)));
}

// The gates of a sequence's keys for the query heads of a key head, tile by tile. Heads that share gates
// share a row.
class KeyGates {
 public:
  KeyGates(const AttentionRows& rows, const Inputs& operands, float* memory, int64_t row)
      : rows_(rows), spec_(rows.spec()), operands_(operands), memory_(memory), row_(row) {}

  explicit operator bool() const { return spec_.has_key_gates; }

  // The logit of a key, in a tensor of strides (batch, head).
  int64_t offset(const int64_t (&stride)[2], int64_t head, int64_t key) const {
    return rows_.key_offset({stride[0], 1, 0}, key) + head * stride[1];
  }

  // Takes keys [j, j + count).
  void load_keys(int64_t j, int count) const {
    for (int64_t h = 0; h < gate_heads(spec_); ++h) {
      float* const to = memory_ + h * row_;
      const int64_t filled = round_to_vectors(count);
      std::copy_n(operands_.key_gates + offset(spec_.key_gates_stride, rows_.head(h), j), count, to);
      std::fill(to + count, to + filled, 0.0f);
      apply_sigmoid(filled, to);
    }
  }

  // Those of the tile for a query head.
  const float* row(int64_t head) const {
    return memory_ + (gate_heads(spec_) == 1 ? 0 : (head - rows_.head(0)) * row_);
  }

 private:
  const AttentionRows& rows_;
  const Spec& spec_;
  const Inputs& operands_;
  float* const memory_;
  const int64_t row_;
};

// The gates of a row of out, in a tensor of strides (batch, position, head, element): `columns` of them, or
// the one of the head. `to` has room for the last vector.
inline int64_t load_output_gates(const AttentionRows& rows, const Inputs& operands, int64_t i,
                                 int64_t head, int64_t columns, float* to) {
  const Spec& spec = rows.spec();
  const int64_t(&stride)[4] = spec.output_gates_stride;
  const int64_t at = rows.query_offset({stride[0], stride[1], stride[2]}, i, head);
  const int64_t count = gates_heads(stride) ? 1 : columns;
  with_type(spec.output_gates_dtype, [&](auto zero) {
    load_row(static_cast<const decltype(zero)*>(operands.output_gates) + at, count, 1.0f, to);
  });
  return count;
}

// A row times gates, of which there is one for each column or one for all.
inline void multiply_gates(int64_t count, const float* gates, int64_t columns, float* row) {
  for (int64_t d = 0; d < columns; d += kLanes) {
    store(row + d, load(row + d) * (count == 1 ? splat(gates[0]) : load(gates + d)));
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
