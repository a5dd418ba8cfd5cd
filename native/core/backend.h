// What a backend library answers behind the functions of fovea.h. core/abi.cpp has checked blocks,
// kind of device and presence of operands before it asks.
#pragma once

#include "ops/attention/attention.h"

namespace fovea::backend {

// "cpu", "cuda", "sim".
extern const char* const kName;
// FOVEA_DEVICE_* that this library plans for.
extern const int32_t kDeviceKind;

// What the library was compiled with.
void describe_build(char (&build)[160]);

// Describes device `index`; the reason of a failure goes to device.error.
int32_t query(int32_t index, fovea_device_info& device);

// Picks kernel, tiles and memory; attention::plan_spec has run.
int32_t plan(const fovea_device_info& device, fovea_attention_plan& plan);

// The same for a backward pass; attention::plan_gradients has run.
int32_t plan_backward(const fovea_device_info& device, fovea_attention_plan& plan);

int32_t prepare(fovea_attention_plan& plan);

// Runs one or more items; operands, phase and item range are checked.
int32_t run(const fovea_attention_plan& plan, const attention::ForwardOperands& operands,
            fovea_attention_call& call, void* workspace, void* scratch, void* stream);

int32_t run_backward(const fovea_attention_plan& plan, const attention::BackwardOperands& operands,
                     fovea_attention_call& call, void* workspace, void* scratch, void* stream);

}  // namespace fovea::backend
