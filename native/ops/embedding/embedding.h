// Embedding lookup as every backend sees it.
#pragma once

#include "ops/embedding/operation.h"

namespace fovea::embedding {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

// A token is a (b, s); their number is b * length + s.
inline int64_t tokens_of(const Spec& spec) { return spec.batch * spec.length; }

// The rows of a table that tokens are at.
struct Indices {
  const char* name;
  bool given;         // else token (b, s) is at row s
  const int32_t* at;  // [B, S]
  int64_t stride;     // from one sequence to the next
  int64_t rows;       // of the table
};

inline Indices ids_of(const Spec& spec, const Inputs& inputs) {
  return {"ids", true, inputs.ids, spec.ids_stride[0], spec.vocabulary};
}
inline Indices position_ids_of(const Spec& spec, const Inputs& inputs) {
  return {"position_ids", spec.has_position_ids != 0, inputs.position_ids,
          spec.position_ids_stride[0], spec.position_count};
}

// The gradient of a table.
struct Gradient {
  Indices of;
  float* data;
  int64_t stride;
  int64_t skipped;  // a row that gets nothing; -1: none
  float scale;
};

inline Gradient dtable_of(const Spec& spec, const BackwardOperands& operands) {
  return {ids_of(spec, operands), operands.dtable, spec.dtable_stride[0],
          spec.has_padding ? spec.padding : -1, spec.scale};
}
inline Gradient dpositions_of(const Spec& spec, const BackwardOperands& operands) {
  return {position_ids_of(spec, operands), operands.dpositions, spec.dpositions_stride[0], -1, 1};
}

}  // namespace fovea::embedding
