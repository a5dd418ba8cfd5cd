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
  static_cast<RowStatistics&>(b) =
      layout.statistics(spec, call.phase, b.forward.tiles, workspace);
  b.sums = layout.at(workspace, layout.sums);
  return b;
}

}  // namespace fovea::additive::cuda
