// What the attention kernels are given: one block, passed by value to every thread.
#pragma once

#include <cstdint>

#include "cuda/softmax/params.h"
#include "ops/attention/operands.h"

namespace fovea::attention::cuda {

using namespace fovea::cuda;

// How rows come to shared memory: in copies of so many bytes, the largest of 16, 8, 4 and 2 that
// address and strides are multiples of. `whole`: by 16, and a row is as wide as the kernel's tile.
struct RowCopy {
  uint8_t bytes;
  bool whole;
};

struct AttentionParams : Inputs {
  void* out;
  float* lse;
  float* weights;

  // In elements, as in Spec; the batch strides of packed tensors are 0.
  int64_t query_stride[3], key_stride[3], value_stride[3], out_stride[3];
  int64_t lse_stride[2], alibi_stride[2], bias_stride[3], weights_stride[3];

  int64_t window_left, window_right;
  int64_t first_item;  // of this launch: block 0 does it
  int64_t pairs;       // (batch, key head) pairs
  int64_t section;     // pairs whose tiles run side by side
  int64_t query_total, key_total;
  int32_t query_length, key_length;  // the longest
  int32_t query_heads, key_heads;
  Divisor group;  // query heads to a key head
  int32_t head_dim, value_head_dim;
  int32_t tiles;  // of query rows, for each pair
  int32_t dtype, out_dtype, bias_dtype;
  bool packed, causal, top_left, has_window_left, has_window_right;
  RowCopy query_copy, key_copy, value_copy;

  float scale;
  float softmax_scale;         // of the scores that enter the softmax, to units of log2
  float softcap;               // 0 = off
  uint32_t dropout_threshold;  // draws below it are dropped; 0 = no dropout
  float dropout_scale;         // of what is kept
  uint64_t dropout_seed;
  uint32_t dropout_offset;
};

using AttentionKernel = void(AttentionParams);

}  // namespace fovea::attention::cuda
