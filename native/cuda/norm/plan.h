// The kernels of normalization on a GPU.
#pragma once

#include "cuda/norm/params.h"
#include "ops/norm/norm.h"

namespace fovea::norm::cuda {

// Cut their work; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// What kernels are given; a planner knows no address.
NormParams make_params(const Spec& spec, const ForwardOperands& operands);
NormParams make_params(const Spec& spec, const BackwardOperands& operands, void* workspace);
SumParams make_sum_params(const Spec& spec, const BackwardOperands& operands, void* workspace);

// Elements that a thread has side by side.
inline int packet_of(const NormParams& p) { return p.width == p.packets ? 1 : kPacket; }

}  // namespace fovea::norm::cuda
