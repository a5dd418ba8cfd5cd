// What the kernels of additive attention are given: one block, passed by value to every thread.
#pragma once

#include "cuda/softmax/params.h"
#include "ops/additive/operands.h"

namespace fovea::additive::cuda {

using namespace fovea::cuda;

struct AdditiveParams : Inputs {
  void* out;
  float* lse;
  float* weights;

  // In elements, as in Spec; the batch strides of packed tensors are 0.
  int64_t query_stride[3], key_stride[3], value_stride[3], out_stride[3];
  int64_t weight_stride, bias_stride, lse_stride[2], weights_stride[3];

  int64_t window_left, window_right;
  int64_t first_item;  // of this launch: block 0 does it
  int64_t pairs;       // (batch, key head) pairs
  int64_t section;     // pairs whose tiles run side by side
  int64_t query_total, key_total;
  int32_t query_length, key_length;  // the longest
  int32_t query_heads, key_heads;
  Divisor group;  // query heads to a key head
  Divisor heads;  // in a tile of rows: row r is of the same head as row r % heads
  int32_t head_dim, value_head_dim;
  int32_t tiles;  // for each pair
  int32_t dtype, out_dtype;
  bool packed, causal, top_left, has_window_left, has_window_right;

  uint32_t dropout_threshold;  // draws below it are dropped; 0 = no dropout
  float dropout_scale;         // of what is kept
  uint64_t dropout_seed;
  uint32_t dropout_offset;
};

struct BackwardParams {
  // Inputs and options of the forward. out and lse are inputs here, weights is null; first_item and tiles
  // are those of the kernel that runs.
  AdditiveParams forward;

  const void* dout;
  void* dquery;
  void* dkey;
  void* dvalue;
  float* dweight;
  float* dbias;
  int64_t dout_stride[3], dquery_stride[3], dkey_stride[3], dvalue_stride[3];
  int64_t dweight_stride, dbias_stride;

  // The workspace. By row: the logarithm of base 2 of its sum, as a large part and what is left, and
  // <dout, out>. By tile of rows and head in it what they add to dbias and dweight, or null.
  float* base;
  float* rest;
  float* delta;
  float* sums;

  int32_t chunks;      // of kChunk elements that a tile is cut into
  int32_t row_tiles;   // of each pair
  int32_t gradient_dtype;
  bool accumulate;
};

using AdditiveKernel = void(AdditiveParams);
using BackwardKernel = void(BackwardParams);

AdditiveKernel* forward_kernel(int32_t variant);
BackwardKernel* backward_rows_kernel();
BackwardKernel* backward_keys_kernel();
BackwardKernel* backward_queries_kernel();
BackwardKernel* backward_sums_kernel();

}  // namespace fovea::additive::cuda
