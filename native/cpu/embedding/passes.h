// The two passes of embedding lookup on the CPU.
#pragma once

#include "core/backend.h"

namespace fovea::embedding::cpu {

// Cut the work; the spec is resolved.
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan);
int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan);

// Run one or more items of a phase.
int32_t run_forward(const backend::Run& run, fovea_call& call);
int32_t run_backward(const backend::Run& run, fovea_call& call);

}  // namespace fovea::embedding::cpu
