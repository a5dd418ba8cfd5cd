// The block of parameters that kernels are given, from a plan, a call and its operands.
#pragma once

#include "cuda/channel/layout.h"

namespace fovea::channel::cuda {

inline ChannelParams make_params(const fovea_plan& plan, const fovea_call& call,
                                 const Inputs& inputs, const Images& images, void* workspace) {
  const Spec& spec = spec_of(plan);
  const bool backward = spec.pass == FOVEA_BACKWARD;
  ChannelParams p = {};
  p.spec = spec;
  p.in = inputs;
  p.phase = call.phase;
  p.first_item = call.begin;
  p.items = plan.items[call.phase];
  p.chunks = parts_of(walk_of(spec, kPoolPhase, images), true).chunks;
  const bool scales = is_scale(spec, call.phase);
  if (scales || call.phase == kPoolPhase) {
    p.walk = walk_of(spec, call.phase, images);
    p.parts = parts_of(p.walk, !scales);
  }
  p.share = float(1 / (double(spec.height) * double(spec.width)));
  p.layer_items = image_groups(spec) * tiles_of(spec.channels, kColumns);
  p.first_weight_items = first_weight_items(spec);

  const Layout layout(spec, p.chunks, backward);
  const auto at = [&](int64_t offset) {
    return offset < 0 ? nullptr : static_cast<float*>(workspace) + offset;
  };
  p.memory = {at(layout.sums), at(layout.products), at(layout.hidden), at(layout.gate),
              at(layout.mean), at(layout.dz1),      at(layout.dz2),    at(layout.add)};
  return p;
}

inline ChannelParams forward_params(const fovea_plan& plan, const fovea_call& call,
                                    const ForwardOperands& operands, void* workspace) {
  return make_params(plan, call, operands, {operands.x, operands.out, nullptr}, workspace);
}

inline ChannelParams backward_params(const fovea_plan& plan, const fovea_call& call,
                                     const BackwardOperands& operands, void* workspace) {
  ChannelParams p =
      make_params(plan, call, operands, {operands.x, operands.dout, operands.dx}, workspace);
  p.dweight1 = operands.dweight1;
  p.dbias1 = operands.dbias1;
  p.dweight2 = operands.dweight2;
  p.dbias2 = operands.dbias2;
  return p;
}

}  // namespace fovea::channel::cuda
