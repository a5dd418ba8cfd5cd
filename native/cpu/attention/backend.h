// Attention on the CPU, as cpu/backend.cpp asks for it.
#pragma once

#include "ops/attention/attention.h"

namespace fovea::attention::cpu {

// Pick tiles and memory; plan_spec and, for the backward pass, plan_gradients have run.
int32_t plan_forward(const fovea_device_info& device, fovea_attention_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_attention_plan& plan);

// Run one or more items; operands, phase and item range are checked.
int32_t run_forward(const fovea_attention_plan& plan, const ForwardOperands& operands,
                    fovea_attention_call& call, void* scratch);
int32_t run_backward(const fovea_attention_plan& plan, const BackwardOperands& operands,
                     fovea_attention_call& call, void* workspace, void* scratch);

}  // namespace fovea::attention::cpu
