// The kernel of rotary position embedding on a GPU.
#pragma once

#include "cuda/rotary/params.h"
#include "ops/rotary/rotary.h"

namespace fovea::rotary::cuda {

// Cut its work; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// What the kernel is given; a planner knows no address.
RotaryParams make_params(const Spec& spec, const Inputs& inputs, const Turn& turn);

}  // namespace fovea::rotary::cuda
