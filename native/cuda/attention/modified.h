// Kernels that score modifiers were compiled into while the process ran (modifier_run.cuh), in place of those of
// the tables.
#pragma once

#include "cuda/attention/backward_table.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cuda {

// Those for a plan, on the current device; null where none were loaded.
AttentionKernel* find_modified_forward(const fovea_plan& plan);
const BackwardKernels* find_modified_backward(const fovea_plan& plan);

}  // namespace fovea::attention::cuda
