// The blocks of parameters that kernels are given, from a plan, a call and its operands.
#pragma once

#include "cuda/distance/layout.h"
#include "cuda/distance/params.h"
#include "cuda/softmax/make_params.h"

namespace fovea::distance::cuda {

// `rows`: of a tile.
inline DistanceParams input_params(const fovea_plan& plan, const Inputs& operands,
                                   const fovea_call& call, int rows) {
  DistanceParams p = {};
  static_cast<Inputs&>(p) = operands;
  p.spec = spec_of(plan);
  static_cast<PairParams&>(p) = pair_params(plan, p.spec, call);
  p.heads = Divisor::of(uint32_t(heads_of(p.spec, rows)));
  return p;
}

inline DistanceParams forward_params(const fovea_plan& plan, const ForwardOperands& operands,
                                     const fovea_call& call, void* workspace) {
  const int rows = finds_fits(plan, call.phase) ? kFitRows : plan.tile_queries;
  DistanceParams p = input_params(plan, operands, call, rows);
  static_cast<ForwardOperands&>(p) = operands;
  p.fits = static_cast<double*>(workspace);
  return p;
}

inline BackwardParams backward_params(const fovea_plan& plan, const BackwardOperands& operands,
                                      const fovea_call& call, void* workspace) {
  const Spec& spec = spec_of(plan);
  BackwardParams b = {};
  static_cast<BackwardOperands&>(b) = operands;
  b.forward = input_params(plan, operands, call, plan.tile_queries);
  b.forward.out = const_cast<void*>(operands.out);
  b.forward.lse = const_cast<float*>(operands.lse);

  const BackwardLayout layout(spec);
  static_cast<RowStatistics&>(b) =
      layout.statistics(spec, call.phase, b.forward.tiles, workspace);
  b.moments = layout.at(workspace, layout.moments);
  b.forward.fits = reinterpret_cast<double*>(layout.at(workspace, layout.fits));
  return b;
}

}  // namespace fovea::distance::cuda
