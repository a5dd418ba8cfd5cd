// Kernels and tiles of channel attention on a GPU.
#pragma once

#include "ops/channel/channel.h"

namespace fovea::channel::cuda {

// Pick them; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

}  // namespace fovea::channel::cuda
