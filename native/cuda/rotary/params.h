// What the kernel of rotary position embedding is given: one block, passed by value to every thread.
#pragma once

#include "cuda/packet_tensor.h"
#include "ops/rotary/operands.h"

namespace fovea::rotary::cuda {

using namespace fovea::cuda;

constexpr int kThreads = 256, kBlocks = 2;
// Heads that a thread turns by the same cosines and sines: so many loads are under way at once.
constexpr int kHeads = 4;

struct RotaryParams {
  int64_t first_item;
  PacketTensor from, to;  // x and out; backward dout and dx
  int64_t from_stride[3], to_stride[3];
  const float *cosines, *sines;
  int64_t cosines_stride[2], sines_stride[2];
  const int32_t* positions;  // null: a row's number is its position
  int64_t positions_stride;
  int32_t length, heads, pairs, position_count;
  bool interleaved, back;
  int32_t packet;             // pairs that a thread has at a time, or elements that are copied
  int32_t pair_lanes, lanes;  // packets of a row's pairs; with those behind them
  int32_t head_groups;
  int32_t rows, tiles;  // of an item, of a sequence
};

using RotaryKernel = void(RotaryParams);

RotaryKernel* turn_kernel();

}  // namespace fovea::rotary::cuda
