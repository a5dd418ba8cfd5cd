// Where kernels run: the few calls in which a GPU and the simulator differ. cuda/device.cpp
// answers them with the CUDA runtime, sim/device.cpp with the simulator; everything above is shared.
#pragma once

#include "core/attention.h"
#include "cuda/attention_params.h"

namespace fovea::device {

// One instantiation, and what a launch of it needs.
struct Kernel {
  const char* name;
  AttentionKernel* function;
  int32_t threads;
  int32_t shared_bytes;  // dynamic
};

// As fovea_library_query answers.
extern const char* const kBackend;
void describe_build(char (&build)[160]);

// Describes device `index`; the reason of a failure goes to device.error.
int32_t query(int32_t index, fovea_device_info& device);

// Allows the kernel its shared memory on the current device.
int32_t prepare(const Kernel& kernel, char (&error)[FOVEA_ERROR_LENGTH]);

// Launches `blocks` blocks, 1 or more, on `stream`. `plan` and `operands` are what `params` was made
// from: the simulator guards the memory they describe.
int32_t launch(const Kernel& kernel, uint32_t blocks, const AttentionParams& params,
               const fovea_attention_plan& plan, const AttentionOperands& operands, void* stream,
               char (&error)[FOVEA_ERROR_LENGTH]);

}  // namespace fovea::device
