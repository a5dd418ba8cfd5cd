// Kernels and tiles of distance attention on a GPU.
#pragma once

#include "ops/distance/distance.h"

namespace fovea::distance::cuda {

// Pick them; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

}  // namespace fovea::distance::cuda
