// The kernel of a merge on a GPU.
#pragma once

#include "core/backend.h"
#include "cuda/merge/params.h"
#include "ops/merge/merge.h"

namespace fovea::merge::cuda {

// Cut its work; the spec is resolved.
int32_t plan_merge(const fovea_device_info& device, fovea_plan& plan);

// What the kernel is given; a planner knows no address.
MergeParams make_params(const Spec& spec, const ForwardOperands& operands);

}  // namespace fovea::merge::cuda
