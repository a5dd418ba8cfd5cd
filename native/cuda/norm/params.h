// What the kernels of normalization are given: one block, passed by value to every thread.
#pragma once

#include "cuda/packet_tensor.h"
#include "ops/norm/operands.h"

namespace fovea::norm::cuda {

using namespace fovea::cuda;

enum BackwardPhase {
  kRowPhase,  // dx, and what a part of the rows adds to dweight and dbias
  kSumPhase,  // parts added up
  kBackwardPhases,
};

constexpr int kPacket = 8;  // elements that a thread has side by side, or one
// Threads of a block, and of one for rows that need more of them backward.
constexpr int kThreads = 256, kWideThreads = 512;

// Packets of a row that a thread holds in registers from the first pass over the row to the last. A row that
// has more than all its threads hold is read anew by each pass.
constexpr int held_packets(int packet, bool backward) {
  return packet == 1 ? 8 : backward ? 2 : 4;
}

// Elements of a head, or of all: a row of weight or bias, or of sums.
struct HeadRows {
  float* data;
  int64_t stride;
  bool whole;
};

struct NormParams {
  int64_t first_item;
  PacketTensor x, out, dx;  // out: or dout
  int64_t x_stride[3], out_stride[3], dx_stride[3];
  HeadRows weight, bias;  // null: none
  float *mean, *inverse;  // null: not wanted
  int64_t mean_stride[2], inverse_stride[2];
  int32_t length, heads, width;
  bool centered, adds;  // to dx
  float epsilon, share;  // share: 1 / width
  int32_t packets;        // of a row
  int32_t lanes, groups;  // threads of a row, rows of a block at a time
  bool held;              // by the threads of a row
  // A block has rows [part * rows, ...) of `all`: those of all heads, or, where heads have sums of their own,
  // of one.
  int32_t rows, parts, all;
  int32_t own_heads;  // heads that have sums of their own; 1 = none
  float* sums;        // [own_heads, parts, 2, row]: of dout z and dout; null: not wanted
  int32_t row;        // of sums
};

constexpr int kSumColumns = 32, kSumSlices = kThreads / kSumColumns;

// A gradient of weight or bias from parts of sums.
struct SumTarget {
  float* to;  // null: not wanted
  int64_t stride;
  int32_t heads;  // rows of it
};

struct SumParams {
  int64_t first_item;
  SumTarget target[2];  // dweight, dbias
  const float* sums;
  int32_t width, row, blocks;  // blocks: of columns
  int32_t parts, own_heads;
  bool adds;
};

using NormKernel = void(NormParams);
using SumKernel = void(SumParams);

NormKernel* forward_kernel(int packet);
NormKernel* backward_kernel(int packet, int threads);
SumKernel* sum_kernel();

// Shared memory of a block: sums of warps, twice, and backward what groups of threads have of a row of sums.
constexpr int kMostSums = 4, kMostWarps = kWideThreads / 32;
constexpr int kExchangeBytes = 2 * kMostSums * kMostWarps * 4;
constexpr int backward_bytes(int packet) {
  return kExchangeBytes + held_packets(packet, true) * packet * kThreads * 4;
}
constexpr int kSumBytes = kThreads * 8;

}  // namespace fovea::norm::cuda
