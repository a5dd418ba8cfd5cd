// The kernels of cross-entropy on a GPU.
#pragma once

#include "cuda/cross_entropy/params.h"
#include "ops/cross_entropy/cross_entropy.h"

namespace fovea::cross_entropy::cuda {

enum Phase { kWeightPhase, kRowPhase, kPhases };

// Cut their work; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// What the kernels are given; a planner knows no address.
CrossEntropyParams make_params(const Spec& spec, const ForwardOperands& operands, void* workspace);
CrossEntropyParams make_params(const Spec& spec, const BackwardOperands& operands, void* workspace);

}  // namespace fovea::cross_entropy::cuda
