// The kernels of embedding lookup on a GPU.
#pragma once

#include "cuda/embedding/params.h"

namespace fovea::embedding::cuda {

enum BackwardPhase { kListPhase, kSumPhase, kBackwardPhases };

// Cut their work; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// What the kernels are given; a planner knows no address.
LookupParams lookup_params(const Spec& spec, const ForwardOperands& operands);
BackwardParams backward_params(const Spec& spec, const BackwardOperands& operands, void* workspace);

}  // namespace fovea::embedding::cuda
