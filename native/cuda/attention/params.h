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

struct AttentionParams : ForwardOperands, PairParams {
  Spec spec;  // the batch strides of packed tensors are 0
  RowCopy query_copy, key_copy, value_copy;
  bool has_rare_modifiers;  // any of distances, Gaussian, span and mask
  uint32_t weight_factors;  // not 0 where dropout or gates of keys multiply weights before their product
  float softmax_scale;  // of the scores that enter the softmax, to units of log2
};

using AttentionKernel = void(AttentionParams);

}  // namespace fovea::attention::cuda
