// The block of parameters that kernels are given, from a plan, a call and its operands.
#pragma once

#include "cuda/spatial/layout.h"

namespace fovea::spatial::cuda {

inline SpatialParams make_params(const fovea_plan& plan, const fovea_call& call,
                                 const Inputs& inputs, const Images& images, void* workspace) {
  const Spec& spec = spec_of(plan);
  SpatialParams p = {};
  p.spec = spec;
  p.in = inputs;
  p.first_item = call.begin;
  p.items = plan.items[call.phase];
  p.pixels = spec.height * spec.width;
  p.part = kGatePixels;
  if (call.phase == kFoldPhase || call.phase == scale_phase(spec)) {
    p.walk = walk_of(spec, call.phase, images);
    p.part = part_of(p.walk);
  }
  p.parts = tiles_of(p.pixels, p.part);
  p.gate_items = spec.pass == FOVEA_BACKWARD ? plan.items[kGatePhase] : 0;
  p.share = 1 / float(spec.channels);

  const Layout layout(spec, p.gate_items);
  const auto at = [&](int64_t offset) {
    return offset < 0 ? nullptr : static_cast<float*>(workspace) + offset;
  };
  p.memory = {at(layout.maps),
              at(layout.products),
              reinterpret_cast<int32_t*>(at(layout.indices)),
              at(layout.gates),
              at(layout.dz),
              at(layout.sums)};
  return p;
}

inline SpatialParams forward_params(const fovea_plan& plan, const fovea_call& call,
                                    const ForwardOperands& operands, void* workspace) {
  return make_params(plan, call, operands, {operands.x, operands.out, nullptr}, workspace);
}

inline SpatialParams backward_params(const fovea_plan& plan, const fovea_call& call,
                                     const BackwardOperands& operands, void* workspace) {
  SpatialParams p =
      make_params(plan, call, operands, {operands.x, operands.dout, operands.dx}, workspace);
  p.dweight = operands.dweight;
  p.dbias = operands.dbias;
  return p;
}

}  // namespace fovea::spatial::cuda
