// The blocks of parameters that kernels are given, from a plan, a call and its operands.
#pragma once

#include "cuda/additive/layout.h"
#include "cuda/additive/params.h"
#include "cuda/softmax/make_params.h"

namespace fovea::additive::cuda {

inline AdditiveParams input_params(const fovea_plan& plan, const Inputs& operands,
                                   const fovea_call& call) {
  AdditiveParams p = {};
  static_cast<Inputs&>(p) = operands;
  p.spec = spec_of(plan);
  static_cast<PairParams&>(p) = pair_params(plan, p.spec, call);
  p.heads = Divisor::of(uint32_t(heads_of(p.spec, plan.tile_queries)));
  return p;
}

inline AdditiveParams forward_params(const fovea_plan& plan, const ForwardOperands& operands,
                                     const fovea_call& call) {
  AdditiveParams p = input_params(plan, operands, call);
  static_cast<ForwardOperands&>(p) = operands;
  return p;
}

inline BackwardParams backward_params(const fovea_plan& plan, const BackwardOperands& operands,
                                      const fovea_call& call, void* workspace) {
  const Spec& spec = spec_of(plan);
  BackwardParams b = {};
  static_cast<BackwardOperands&>(b) = operands;
  b.forward = input_params(plan, operands, call);
  b.forward.out = const_cast<void*>(operands.out);
  b.forward.lse = const_cast<float*>(operands.lse);

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
  return b;
}

}  // namespace fovea::additive::cuda
