// What the kernel of a step is given: one block, passed by value to every thread.
#pragma once

#include "cuda/packet_tensor.h"
#include "ops/optimizer/rules.h"

namespace fovea::optimizer::cuda {

using namespace fovea::cuda;

constexpr int kThreads = 256, kBlocks = 4;
constexpr int kPacket = 4;  // parameters that a thread has at a time: 16 bytes of float32
constexpr int kUnits = 4;   // packets of a thread, whatever rows have
constexpr int kTile = kThreads * kUnits;

// [rows, length]; null if its rule has no such state, or nobody wants it.
struct Matrix {
  PacketTensor tensor;
  int64_t stride;
};

struct OptimizerParams {
  int64_t first_item;
  Options options;
  const float* rates;
  Matrix gradient, parameter, mean, square, out;
  int64_t rows, length;
  int64_t lanes, tiles;           // packets of a row, the last perhaps of less; tiles of them
  int32_t tile_rows, tile_lanes;  // of an item
};

using OptimizerKernel = void(OptimizerParams);

OptimizerKernel* step_kernel();

}  // namespace fovea::optimizer::cuda
