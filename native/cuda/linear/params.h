// What the kernels of linear attention are given: one block, passed by value to every thread.
#pragma once

#include "cuda/linear/tiles.h"
#include "cuda/softmax/params.h"

namespace fovea::linear::cuda {

using namespace fovea::cuda;

struct ForwardParams : ForwardOperands, SequenceParams {
  Spec spec;  // the batch strides of packed tensors are 0
  ChunkLayout chunk;
  int32_t warps;  // of a block
  bool has_decay, has_delta;
  float* errors;  // in the workspace, of the backward pass
  bool errors_only;  // out and final states are not written, nor queries read
};

struct BackwardParams : BackwardOperands {
  // Inputs and options of the forward; chunk, warps, first_item and tiles are those of the kernel that runs.
  ForwardParams forward;

  // The workspace.
  float *inverses, *shares;
  float *errors, *steps;
  float *corrections, *slopes;
  float *decay_parts, *beta_parts;
  int32_t decay_blocks, beta_blocks;  // parts of a key
};

struct SumParams {
  ForwardParams forward;
  const float* parts;
  float* to;
  int64_t stride[3];
  int32_t blocks;  // parts of a key
  bool one_row;    // an element for all positions
  bool all_sequences;
  int32_t results, tiles;
};

using ForwardKernel = void(ForwardParams);
using BackwardKernel = void(BackwardParams);
using SumKernel = void(SumParams);

// Of the panel of that index.
ForwardKernel* forward_kernel(int panel);
BackwardKernel* backward_weights_kernel(int panel);
BackwardKernel* backward_values_kernel(int panel);
BackwardKernel* backward_queries_kernel(int panel);
BackwardKernel* backward_keys_kernel(int panel);
SumKernel* backward_sums_kernel();

}  // namespace fovea::linear::cuda
