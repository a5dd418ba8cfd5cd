// The kernel of an append on a GPU.
#pragma once

#include "core/backend.h"
#include "cuda/append/params.h"
#include "ops/append/append.h"

namespace fovea::append::cuda {

// Cut its work; the spec is resolved.
int32_t plan_append(const fovea_device_info& device, fovea_plan& plan);

// What the kernel is given; a planner knows no address.
AppendParams make_params(const Spec& spec, const ForwardOperands& operands);

}  // namespace fovea::append::cuda
