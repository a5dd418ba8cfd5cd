// What the kernels of distance attention are given: one block, passed by value to every thread.
#pragma once

#include "cuda/pairs/params.h"
#include "ops/distance/operands.h"

namespace fovea::distance::cuda {

using namespace fovea::pairs::cuda;

struct DistanceParams : ForwardOperands, PairParams {
  Spec spec;  // the batch strides of packed tensors are 0
  Divisor heads;  // in a tile of rows: row r is of the same head as row r % heads
  double* fits;  // in the workspace, by row: the FitRow of a linear fit
};

struct BackwardParams : BackwardOperands, RowStatistics {
  // Inputs and options of the forward. out and lse are inputs here, weights is null; first_item and tiles
  // are those of the kernel that runs.
  DistanceParams forward;

  // In the workspace, by row: the sum of its score gradients times scores, or null.
  float* moments;
};

using DistanceKernel = void(DistanceParams);
using BackwardKernel = void(BackwardParams);

// `fits`: of linear fits.
DistanceKernel* fits_kernel();
DistanceKernel* forward_kernel(int32_t variant, bool fits);
BackwardKernel* backward_rows_kernel();
BackwardKernel* backward_fits_kernel();
BackwardKernel* backward_keys_kernel(bool fits);
BackwardKernel* backward_queries_kernel(bool fits);
BackwardKernel* backward_sums_kernel();

}  // namespace fovea::distance::cuda
