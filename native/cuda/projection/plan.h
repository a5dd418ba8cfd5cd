// Kernels of the projection of sequences on a GPU.
#pragma once

#include "ops/projection/projection.h"

namespace fovea::projection::cuda {

// Pick them; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

}  // namespace fovea::projection::cuda
