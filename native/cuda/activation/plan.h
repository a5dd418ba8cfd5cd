// The kernels of activation on a GPU, and what they are given.
#pragma once

#include "cuda/activation/params.h"
#include "ops/activation/activation.h"

namespace fovea::activation::cuda {

enum Phase {
  kElementPhase,
  kForwardPhases,
  kSumPhase = kForwardPhases,  // sums of parts of the rows, added up
  kBackwardPhases,
};

// Cut their work; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// What the kernels are given; a planner knows no address.
ActivationParams make_params(const Spec& spec, const ForwardOperands& operands);
ActivationParams make_params(const Spec& spec, const BackwardOperands& operands);

}  // namespace fovea::activation::cuda
