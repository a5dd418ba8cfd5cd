// The blocks of parameters that kernels are given, from a plan, a call and its operands.
#pragma once

#include "cuda/additive/layout.h"
#include "cuda/additive/params.h"
#include "cuda/softmax/make_params.h"

namespace fovea::additive::cuda {

inline AdditiveParams input_params(const fovea_plan& plan, const Inputs& operands,
                                   const fovea_call& call) {
  const Spec& spec = spec_of(plan);
  AdditiveParams p = {};
  static_cast<Inputs&>(p) = operands;
  copy_strides(p.query_stride, spec.query_stride, spec.packed);
  copy_strides(p.key_stride, spec.key_stride, spec.packed);
  copy_strides(p.value_stride, spec.value_stride, spec.packed);
  copy_strides(p.out_stride, spec.out_stride, spec.packed);
  copy_strides(p.lse_stride, spec.lse_stride, spec.packed);
  copy_strides(p.weights_stride, spec.weights_stride, spec.packed);
  p.weight_stride = spec.weight_stride[0];
  p.bias_stride = spec.bias_stride[0];
  set_pairs(p, plan, spec, call);
  p.heads = Divisor::of(uint32_t(heads_of(spec, plan.tile_queries)));
  return p;
}

inline AdditiveParams forward_params(const fovea_plan& plan, const ForwardOperands& operands,
                                     const fovea_call& call) {
  AdditiveParams p = input_params(plan, operands, call);
  p.out = operands.out;
  p.lse = operands.lse;
  p.weights = operands.weights;
  return p;
}

inline BackwardParams backward_params(const fovea_plan& plan, const BackwardOperands& operands,
                                      const fovea_call& call, void* workspace) {
  const Spec& spec = spec_of(plan);
  BackwardParams b = {};
  b.forward = input_params(plan, operands, call);
  b.forward.out = const_cast<void*>(operands.out);
  b.forward.lse = const_cast<float*>(operands.lse);
  b.dout = operands.dout;
  b.dquery = operands.dquery;
  b.dkey = operands.dkey;
  b.dvalue = operands.dvalue;
  b.dweight = operands.dweight;
  b.dbias = operands.dbias;
  copy_strides(b.dout_stride, spec.dout_stride, spec.packed);
  copy_strides(b.dquery_stride, spec.dquery_stride, spec.packed);
  copy_strides(b.dkey_stride, spec.dkey_stride, spec.packed);
  copy_strides(b.dvalue_stride, spec.dvalue_stride, spec.packed);
  b.dweight_stride = spec.dweight_stride[0];
  b.dbias_stride = spec.dbias_stride[0];

  const BackwardLayout layout(spec);
  const auto at = [&](int64_t offset) {
    return offset < 0 ? nullptr
                      : reinterpret_cast<float*>(static_cast<char*>(workspace) + offset);
  };
  b.base = at(layout.base);
  b.rest = at(layout.rest);
  b.delta = at(layout.delta);
  b.sums = at(layout.sums);

  b.row_tiles = int32_t(row_tiles(spec));
  const int64_t tiles =
      call.phase == kKeysPhase ? tiles_of(spec.key_length, kKeys) : int64_t{b.row_tiles};
  b.chunks = tiles > 0 ? int32_t(b.forward.tiles / tiles) : 0;
  b.gradient_dtype = spec.gradient_dtype;
  b.accumulate = spec.accumulate;
  return b;
}

}  // namespace fovea::additive::cuda
