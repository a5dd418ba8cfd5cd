// The backward pass behind core/backend.h.
#pragma once

#include "cpu/tiers.h"

namespace fovea {

int32_t run_cpu_backward(const fovea_attention_plan& plan, const BackwardOperands& operands,
                         fovea_attention_call& call, RunBackward* kernel, void* workspace,
                         void* scratch);

}  // namespace fovea
