// Kernels and tiles of additive attention on a GPU.
#pragma once

#include "ops/additive/additive.h"

namespace fovea::additive::cuda {

// Pick them; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

}  // namespace fovea::additive::cuda
