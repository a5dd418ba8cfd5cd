// The blocks of parameters that kernels are given, from a plan, a call and its operands. Tiles are
// those of `variant`: of the plan, the variant and its name are not read.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "core/constants.h"
#include "cuda/attention/backward_layout.h"
#include "cuda/attention/backward_params.h"
#include "cuda/attention/params.h"
#include "cuda/attention/tiles.h"
#include "cuda/softmax/make_params.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cuda {

// The largest of 16, 8, 4 and 2 bytes that the address and every stride are multiples of.
inline uint8_t copy_bytes(const void* address, std::initializer_list<int64_t> strides,
                          int element_bytes) {
  uintptr_t bits = reinterpret_cast<uintptr_t>(address) | 16;
  for (int64_t stride : strides) bits |= uintptr_t(stride * element_bytes);
  return uint8_t(bits & -bits);
}

// A dimension of size 1 may have any stride: it is never stepped over.
inline int64_t used(int64_t stride, int64_t size) { return size > 1 ? stride : 0; }

// Rows of `width` elements go to tiles that are `tile_width` wide.
inline RowCopy row_copy(const Spec& spec, const void* address, const int64_t (&stride)[3],
                        int64_t positions, int64_t heads, int64_t width, int tile_width) {
  const uint8_t bytes =
      copy_bytes(address,
                 {spec.packed ? 0 : used(stride[0], spec.batch), used(stride[1], positions),
                  used(stride[2], heads)},
                 spec.dtype == FOVEA_FLOAT32 ? 4 : 2);
  return {bytes, bytes == 16 && width == tile_width};
}

inline AttentionParams input_params(const fovea_plan& plan, const Inputs& operands,
                                    const fovea_call& call, const AttentionTile& tile,
                                    bool general) {
  const Spec& spec = spec_of(plan);
  AttentionParams p = {};
  static_cast<Inputs&>(p) = operands;

  copy_strides(p.query_stride, spec.query_stride, spec.packed);
  copy_strides(p.key_stride, spec.key_stride, spec.packed);
  copy_strides(p.value_stride, spec.value_stride, spec.packed);
  copy_strides(p.out_stride, spec.out_stride, spec.packed);
  copy_strides(p.lse_stride, spec.lse_stride, spec.packed);
  copy_strides(p.bias_stride, spec.bias_stride, spec.packed);
  copy_strides(p.weights_stride, spec.weights_stride, spec.packed);
  copy_strides(p.alibi_stride, spec.alibi_slopes_stride, false);
  const int64_t queries = spec.packed ? spec.query_total : spec.query_length;
  const int64_t keys = spec.packed ? spec.key_total : spec.key_length;
  p.query_copy = row_copy(spec, p.query, spec.query_stride, queries, spec.query_heads,
                          spec.head_dim, tile.head_dim);
  p.key_copy = row_copy(spec, p.key, spec.key_stride, keys, spec.key_heads, spec.head_dim,
                        tile.head_dim);
  p.value_copy = row_copy(spec, p.value, spec.value_stride, keys, spec.key_heads,
                          spec.value_head_dim, tile.value_head_dim);

  set_pairs(p, plan, spec, call);
  p.bias_dtype = spec.bias_dtype;
  p.scale = spec.scale;
  // The general kernel has scaled its scores already.
  p.softmax_scale = general ? kLog2e : spec.scale * kLog2e;
  p.softcap = spec.softcap;
  return p;
}

inline AttentionParams attention_params(const fovea_plan& plan, const ForwardOperands& operands,
                                        const fovea_call& call, const AttentionVariant& variant) {
  AttentionParams p = input_params(plan, operands, call, variant.tile, variant.general);
  p.out = operands.out;
  p.lse = operands.lse;
  p.weights = operands.weights;
  return p;
}

inline BackwardParams backward_params(const fovea_plan& plan, const BackwardOperands& operands,
                                      const fovea_call& call, void* workspace,
                                      const BackwardVariant& variant) {
  const Spec& spec = spec_of(plan);
  BackwardParams b = {};
  b.forward = input_params(plan, operands, call, variant.tile.queries, variant.general);
  b.forward.out = const_cast<void*>(operands.out);
  b.forward.lse = const_cast<float*>(operands.lse);
  b.dquery = operands.dquery;
  b.dkey = operands.dkey;
  b.dvalue = operands.dvalue;
  b.dbias = operands.dbias;
  b.dalibi_slopes = operands.dalibi_slopes;
  b.dsinks = operands.dsinks;
  b.dout = b.dout_given = operands.dout;

  copy_strides(b.dout_stride, spec.dout_stride, spec.packed);
  copy_strides(b.dout_given_stride, spec.dout_stride, spec.packed);
  copy_strides(b.dquery_stride, spec.dquery_stride, spec.packed);
  copy_strides(b.dkey_stride, spec.dkey_stride, spec.packed);
  copy_strides(b.dvalue_stride, spec.dvalue_stride, spec.packed);
  copy_strides(b.dbias_stride, spec.dbias_stride, spec.packed);
  copy_strides(b.dalibi_stride, spec.dalibi_slopes_stride, false);

  const BackwardLayout layout(plan, variant);
  char* const base = static_cast<char*>(workspace);
  b.lse2 = reinterpret_cast<float*>(base + layout.lse2);
  b.highest = reinterpret_cast<float*>(base + layout.highest);
  b.rest = reinterpret_cast<float*>(base + layout.rest);
  if (layout.norm >= 0) b.norm = reinterpret_cast<float*>(base + layout.norm);
  b.delta = reinterpret_cast<float*>(base + layout.delta);
  if (layout.sums >= 0) b.dquery_sums = reinterpret_cast<float*>(base + layout.sums);
  const int64_t positions = spec.packed ? spec.query_total : spec.query_length;
  if (layout.dout >= 0) {
    b.dout = b.dout_copy = base + layout.dout;
    b.dout_stride[2] = spec.value_head_dim;
    b.dout_stride[1] = spec.query_heads * b.dout_stride[2];
    b.dout_stride[0] = spec.packed ? 0 : spec.query_length * b.dout_stride[1];
  }
  b.dout_rows = row_copy(spec, b.dout, b.dout_stride, positions, spec.query_heads,
                         spec.value_head_dim, variant.tile.value_head_dim());
  b.head_rows = layout.head_rows;
  b.padding = variant.padding();
  b.sum_width = variant.tile.head_dim();
  b.gradient_dtype = spec.gradient_dtype;
  b.accumulate = spec.accumulate;
  b.general = variant.general;
  return b;
}

}  // namespace fovea::attention::cuda
