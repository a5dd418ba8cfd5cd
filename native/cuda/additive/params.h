// What the kernels of additive attention are given: one block, passed by value to every thread.
#pragma once

#include "cuda/pairs/params.h"
#include "ops/additive/operands.h"

namespace fovea::additive::cuda {

using namespace fovea::pairs::cuda;

struct AdditiveParams : ForwardOperands, PairParams {
  Spec spec;  // the batch strides of packed tensors are 0
  Divisor heads;  // in a tile of rows: row r is of the same head as row r % heads
};

struct BackwardParams : BackwardOperands, RowStatistics {
  // Inputs and options of the forward. out and lse are inputs here, weights is null; first_item and tiles
  // are those of the kernel that runs.
  AdditiveParams forward;

  // In the workspace, by tile of rows and head in it: what they add to dbias and dweight, or null.
  float* sums;
};

using AdditiveKernel = void(AdditiveParams);
using BackwardKernel = void(BackwardParams);

AdditiveKernel* forward_kernel(int32_t variant);
BackwardKernel* backward_rows_kernel();
BackwardKernel* backward_keys_kernel();
BackwardKernel* backward_queries_kernel();
BackwardKernel* backward_sums_kernel();

}  // namespace fovea::additive::cuda
