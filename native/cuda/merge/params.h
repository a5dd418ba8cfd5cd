// What the kernel of a merge is given: one block, passed by value to every thread.
#pragma once

#include "cuda/packet_tensor.h"
#include "ops/merge/operands.h"

namespace fovea::merge::cuda {

using namespace fovea::cuda;

constexpr int kThreads = 256, kBlocks = 4;
// Parts of a row whose packets a thread has on their way at a time.
constexpr int kAhead = 4;
// Neighbouring positions in a block, whose lses share a sector of 32 bytes.
constexpr int kPositions = 8;
// Threads of a row: each has a packet of its columns, and the weight of one of so many parts. Weights are added up
// by eights, however many threads there are, so that sums have the same bits in any layout.
constexpr int kFewestLanes = 8, kMostLanes = 32;

struct MergeParams {
  int64_t first_item;
  PacketTensor outs, out;
  const float *lses, *sinks;  // sinks: null for none
  float* lse;                 // null: not wanted
  int64_t outs_stride[4], out_stride[3], lses_stride[3], lse_stride[2];
  int32_t parts, batch, length, heads;
  int32_t packet, packets;            // elements of one; those of a row
  int32_t lanes, pieces;              // threads of a piece of a row; pieces
  int32_t positions, position_tiles;  // positions of a tile
};

using MergeKernel = void(MergeParams);

MergeKernel* merge_kernel();

}  // namespace fovea::merge::cuda
