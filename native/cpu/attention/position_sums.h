// Gradients of keys of distances and of biases of queries, from what the phase of keys gathers of each
// sequence and chunk: sums over the batch, in double.
#pragma once

#include "core/constants.h"
#include "core/half.h"
#include "cpu/attention/kernels.h"

namespace fovea::attention::cpu {

class PositionSums {
 public:
  PositionSums(const Spec& spec, const BackwardOperands& operands, const BackwardWorkspace& layout,
               const float* workspace)
      : spec_(spec), operands_(operands), layout_(layout), workspace_(workspace) {}

  // Adds those of a sequence to the content bias of a head: its keys, each times the sum of its score gradients.
  void add_content(const BackwardWork& work, int64_t head, double* sum) const {
    const float* const sums =
        workspace_ + layout_.keys_of(layout_.key_sums, spec_, work.sequence, work.batch, head);
    const int64_t(&stride)[3] = spec_.key_stride;
    const int64_t first = work.batch * stride[0] + work.sequence.key_start * stride[1] +
                          work.key_head * stride[2];
    for (int64_t j = 0; j < work.sequence.key_length; ++j) {
      add(sums[j], operands_.key, first + j * stride[1], sum);
    }
  }

  // The same to its position bias: keys of distances.
  void add_distances(const BackwardWork& work, int64_t head, double* sum) const {
    const Distances seen = seen_of(work);
    const int64_t(&stride)[2] = spec_.position_keys_stride;
    for (int64_t i = 0; i < seen.count(); ++i) {
      double gradient = 0;
      for (int64_t chunk = 0; chunk < work.chunks; ++chunk) {
        gradient += workspace_[layout_.distance_sums + first_of(work, chunk, head) + i];
      }
      const int64_t row = spec_.position_origin + seen.high - i;
      add(gradient, operands_.position_keys, row * stride[0] + head * stride[1], sum);
    }
  }

  // The same to a key of a distance.
  void add_key(const BackwardWork& work, int64_t head, int64_t distance, double* sum) const {
    const Distances seen = seen_of(work);
    if (distance < seen.low || distance > seen.high) return;
    for (int64_t chunk = 0; chunk < work.chunks; ++chunk) {
      const int64_t row = first_of(work, chunk, head) + seen.high - distance;
      const float* const from = workspace_ + layout_.positions + row * layout_.query_row;
      for (int64_t d = 0; d < spec_.head_dim; ++d) sum[d] += double(from[d]);
    }
  }

  // Writes a row of dposition_keys.
  void write_key(int64_t row, int64_t head, const double* sum) const {
    const int64_t(&stride)[2] = spec_.dposition_keys_stride;
    const int64_t at = row * stride[0] + head * stride[1];
    // The queries were scaled for the units of S.
    const double units = modifies_in_natural_units(spec_) ? 1 : kLn2;
    for (int64_t d = 0; d < spec_.head_dim; ++d) {
      const float value = float(sum[d] * units);
      if (spec_.gradient_dtype == FOVEA_FLOAT32) {
        static_cast<float*>(operands_.dposition_keys)[at + d] = value;
      } else if (spec_.gradient_dtype == FOVEA_FLOAT16) {
        static_cast<float16*>(operands_.dposition_keys)[at + d] = from_float<float16>(value);
      } else {
        static_cast<bfloat16*>(operands_.dposition_keys)[at + d] = from_float<bfloat16>(value);
      }
    }
  }

 private:
  Distances seen_of(const BackwardWork& work) const {
    return distances(spec_, work.sequence.query_length, work.sequence.key_length);
  }
  int64_t first_of(const BackwardWork& work, int64_t chunk, int64_t head) const {
    return layout_.first_distance(spec_, work.sequence, work.batch, chunk, head);
  }

  // A row times what is not 0: a key that no query sees may hold anything.
  void add(double factor, const void* rows, int64_t at, double* sum) const {
    if (factor == 0) return;
    for (int64_t d = 0; d < spec_.head_dim; ++d) sum[d] += factor * double(element(rows, at + d));
  }
  float element(const void* rows, int64_t at) const {
    if (spec_.dtype == FOVEA_FLOAT32) return static_cast<const float*>(rows)[at];
    return spec_.dtype == FOVEA_FLOAT16 ? to_float(static_cast<const float16*>(rows)[at])
                                        : to_float(static_cast<const bfloat16*>(rows)[at]);
  }

  const Spec& spec_;
  const BackwardOperands& operands_;
  const BackwardWorkspace& layout_;
  const float* const workspace_;
};

}  // namespace fovea::attention::cpu
