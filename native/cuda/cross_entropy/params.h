// What the kernels of cross-entropy are given: one block, passed by value to every thread.
#pragma once

#include "cuda/packet_tensor.h"
#include "ops/cross_entropy/operands.h"

namespace fovea::cross_entropy::cuda {

using namespace fovea::cuda;

constexpr int kThreads = 256, kWarps = kThreads / 32;
// Packets of logits that a thread of the backward pass has on their way at a time.
constexpr int kUnits = 4;
constexpr int kForwardBytes = 4 * 3 * kWarps, kWeightBytes = 8 * kWarps;

struct CrossEntropyParams {
  int64_t first_item;
  PacketTensor logits, dlogits;
  int64_t logits_stride[2], dlogits_stride[2];
  int64_t targets_stride, out_stride, lse_stride;  // out_stride: or that of dout
  const int32_t* targets;
  const float* class_weight;  // null: all are 1
  const float* dout;
  float *out, *lse;      // lse: null where it is not wanted; backward it is read
  float* weights;        // the sum of class_weight, where that is needed
  float smoothing;       // e
  int64_t rows;
  int32_t length, classes, packet;
  bool whole_block;  // forward: a block has a row, else a warp
  // Backward: packets of a row, of a piece of it, pieces of a row; rows of an item, where that has whole ones.
  int32_t lanes, piece_lanes, pieces, item_rows;
};

using CrossEntropyKernel = void(CrossEntropyParams);

CrossEntropyKernel* weights_kernel();
CrossEntropyKernel* losses_kernel();
CrossEntropyKernel* gradients_kernel();

}  // namespace fovea::cross_entropy::cuda
