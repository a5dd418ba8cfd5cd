// SequenceParams and PairParams, from a plan.
#pragma once

#include "core/philox.h"
#include "cuda/softmax/params.h"
#include "fovea.h"

namespace fovea::cuda {

// Of any operation with sequences and heads.
template <typename Spec>
SequenceParams sequence_params(const fovea_plan& plan, const Spec& spec, const fovea_call& call) {
  SequenceParams p = {};
  p.first_item = call.begin;
  p.pairs = spec.batch * spec.key_heads;
  p.section = plan.section;
  p.query_length = int32_t(spec.query_length);
  p.key_length = int32_t(spec.key_length);
  p.query_heads = int32_t(spec.query_heads);
  p.key_heads = int32_t(spec.key_heads);
  p.group = Divisor::of(uint32_t(spec.query_heads / spec.key_heads));
  p.head_dim = int32_t(spec.head_dim);
  p.value_head_dim = int32_t(spec.value_head_dim);
  if (p.pairs > 0) p.tiles = int32_t(plan.items[call.phase] / p.pairs);
  return p;
}

// Of any operation with a softmax over pairs.
template <typename Spec>
PairParams pair_params(const fovea_plan& plan, const Spec& spec, const fovea_call& call) {
  PairParams p = {};
  static_cast<SequenceParams&>(p) = sequence_params(plan, spec, call);
  p.dropout_threshold = dropout_threshold(spec.dropout);
  p.dropout_scale = dropout_scale(p.dropout_threshold);
  p.dropout_seed = call.dropout_seed;
  p.dropout_offset = call.dropout_offset;
  return p;
}

}  // namespace fovea::cuda
