// Kernels and tiles of attention on a GPU.
#pragma once

#include "ops/attention/attention.h"

namespace fovea::attention::cuda {

// Pick them; the spec is resolved. A forward plan whose `isa` is 90 has a variant of kWarpgroupVariants.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// A forward pass by kernels that every device has.
int32_t plan_portable(const fovea_device_info& device, fovea_plan& plan);

}  // namespace fovea::attention::cuda
