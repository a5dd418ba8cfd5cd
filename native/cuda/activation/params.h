// What the kernels of activation are given: one block each, passed by value to every thread.
#pragma once

#include "cuda/packet_tensor.h"
#include "ops/activation/operands.h"

namespace fovea::activation::cuda {

using namespace fovea::cuda;

constexpr int kThreads = 256, kBlocks = 2, kSumBlocks = 4;
// Rows of which a thread has a packet at a time: so many loads are under way at once.
constexpr int kRows = 4;
// Packets that a block has of a row at most.
constexpr int kMostLanes = kThreads;
constexpr int kSpan = 32;  // columns that four calls of the generator of dropout serve
// Masks of a step: of each row of a group, whose packets are one at least.
constexpr int kMaskBytes = 4 * kRows * kThreads;
constexpr int kSumBytes = 4 * kMostPacket * kThreads;  // of every element of every thread's packet

// [B, S, D]; null where it is not there.
struct Rows : PacketTensor {
  int64_t stride[2];
};

// Rows are counted over all sequences. A block has some of them by `lanes` packets; a group of threads has one row
// at a time.
struct ActivationParams {
  int64_t first_item;
  Rows x, gate, added;          // added: residual; backward dout
  Rows out, dgate, dresidual;   // out: or dx
  const float* bias;
  float* parts;                 // backward: sums of the rows of a block, [row_tiles, width]
  int32_t function, packet;
  int32_t rows, length;         // length: rows of a sequence
  int32_t width, last_width;    // of a row, and of the last of all
  int32_t lanes, groups;
  int32_t row_tiles, column_tiles, tile_rows;
  bool slope, draws;
  uint32_t dropout_threshold, dropout_offset;
  uint64_t dropout_seed;
  float dropout_scale;
};

// Sums of parts, added up: a column for each thread.
struct SumParams {
  int64_t first_item;
  const float* parts;
  float* dbias;
  int32_t row_tiles, width;
  bool add;
};

using ActivationKernel = void(ActivationParams);
using SumKernel = void(SumParams);

ActivationKernel* forward_kernel();
ActivationKernel* backward_kernel();
SumKernel* sum_kernel();

}  // namespace fovea::activation::cuda
