// What the parameters of kernels with a softmax over pairs of queries and keys say alike, from a plan.
#pragma once

#include <algorithm>

#include "core/philox.h"
#include "cuda/softmax/params.h"
#include "fovea.h"

namespace fovea::cuda {

template <size_t kCount>
void copy_strides(int64_t (&to)[kCount], const int64_t (&from)[kCount], bool packed) {
  std::copy(from, from + kCount, to);
  if (packed) to[0] = 0;
}

// Sizes, masks, dropout and the items of a launch.
template <typename Params, typename Spec>
void set_pairs(Params& p, const fovea_plan& plan, const Spec& spec, const fovea_call& call) {
  p.window_left = spec.window_left;
  p.window_right = spec.window_right;
  p.first_item = call.begin;
  p.pairs = spec.batch * spec.key_heads;
  p.section = plan.section;
  p.query_total = spec.query_total;
  p.key_total = spec.key_total;
  p.query_length = int32_t(spec.query_length);
  p.key_length = int32_t(spec.key_length);
  p.query_heads = int32_t(spec.query_heads);
  p.key_heads = int32_t(spec.key_heads);
  p.group = Divisor::of(uint32_t(spec.query_heads / spec.key_heads));
  p.head_dim = int32_t(spec.head_dim);
  p.value_head_dim = int32_t(spec.value_head_dim);
  if (p.pairs > 0) p.tiles = int32_t(plan.items[call.phase] / p.pairs);
  p.dtype = spec.dtype;
  p.out_dtype = spec.out_dtype;
  p.packed = spec.packed;
  p.causal = spec.causal;
  p.top_left = spec.alignment == FOVEA_TOP_LEFT;
  p.has_window_left = spec.has_window_left;
  p.has_window_right = spec.has_window_right;
  p.dropout_threshold = dropout_threshold(spec.dropout);
  p.dropout_scale = dropout_scale(p.dropout_threshold);
  p.dropout_seed = call.dropout_seed;
  p.dropout_offset = call.dropout_offset;
}

}  // namespace fovea::cuda
