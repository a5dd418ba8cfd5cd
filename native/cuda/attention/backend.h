// Attention on a GPU, as cuda/backend.cpp asks for it.
#pragma once

#include "ops/attention/attention.h"

namespace fovea::attention::cuda {

// Pick kernels and tiles; plan_spec and, for the backward pass, plan_gradients have run.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// Prepares the kernels of a plan of either pass.
int32_t prepare(fovea_plan& plan);

// Launch all items of a phase; operands, phase and item range are checked.
int32_t run_forward(const fovea_plan& plan, const ForwardOperands& operands,
                    fovea_call& call, void* workspace, void* stream);
int32_t run_backward(const fovea_plan& plan, const BackwardOperands& operands,
                     fovea_call& call, void* workspace, void* stream);

}  // namespace fovea::attention::cuda
