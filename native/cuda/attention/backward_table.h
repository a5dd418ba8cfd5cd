// The kernels of the backward pass, as the host finds them.
#pragma once

#include "cuda/attention/backward_params.h"

namespace fovea::attention::cuda {

// Those of one BackwardVariant.
struct BackwardKernels {
  BackwardKernel* statistics;
  BackwardKernel* keys;
  BackwardKernel* queries;
  BackwardKernel* convert;
  BackwardKernel* bias;
  BackwardKernel* row_operands;
  BackwardKernel* positions;
};

// The variants of a precision, in the order of kBackwardVariants.
const BackwardKernels* backward_kernels_f16();
const BackwardKernels* backward_kernels_bf16();
const BackwardKernels* backward_kernels_f32();
const BackwardKernels* position_backward_kernels_f16();
const BackwardKernels* position_backward_kernels_bf16();
const BackwardKernels* position_backward_kernels_f32();

// Those that have no variants.
BackwardKernel* backward_rows_kernel(bool gated);
BackwardKernel* backward_sinks_kernel();
BackwardKernel* backward_query_biases_kernel();

}  // namespace fovea::attention::cuda
