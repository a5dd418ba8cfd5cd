// The kernel of a step on a GPU.
#pragma once

#include "core/backend.h"
#include "cuda/optimizer/params.h"
#include "ops/optimizer/optimizer.h"

namespace fovea::optimizer::cuda {

// Cut its work; the spec is resolved.
int32_t plan_step(const fovea_device_info& device, fovea_plan& plan);

// What the kernel is given; a planner knows no address.
OptimizerParams make_params(const Spec& spec, const ForwardOperands& operands);

}  // namespace fovea::optimizer::cuda
