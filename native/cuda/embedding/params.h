// What the kernels of embedding lookup are given: one block, passed by value to every thread.
#pragma once

#include "cuda/packet_tensor.h"
#include "ops/embedding/embedding.h"

namespace fovea::embedding::cuda {

using namespace fovea::cuda;

constexpr int kThreads = 256, kWarps = kThreads / 32;
// Packets of rows that a thread has on their way at a time.
constexpr int kUnits = 4;

struct LookupParams {
  int64_t first_item;
  PacketTensor table, positions, out;  // positions: null for none
  int64_t table_stride, positions_stride, out_stride[2];
  Indices ids, position_ids;
  float scale;
  int64_t tokens;
  int32_t length, packet;
  int32_t lanes;  // packets of a row
  int32_t rows;   // of an item
};

// Backward: a warp sums kRows neighbouring rows of a table, 32 packets wide. It finds their tokens among those
// of a bucket of rows, which a block has listed before: kChunk of these at a time.
constexpr int kRows = 8, kChunk = 128, kAhead = 16;
constexpr int kListThreads = 512, kListWarps = kListThreads / 32;
constexpr int kListBytes = 2 * 4 * kListWarps;
constexpr int kQueueBytes = 8 * kChunk, kTileBytes = 4 * 4 * 32 * kRows;  // of a warp
constexpr int kSumBytes = kWarps * (kQueueBytes + kTileBytes);

// The gradient of a table.
struct TableSums {
  Gradient gradient;
  int32_t row_tiles, column_tiles;
  int32_t buckets, bucket_rows;  // buckets: 0 where tokens are at known rows
  int64_t items;                 // warps
  // Of each bucket where its entries begin and end, and of all of them: a row and its token.
  int32_t* bounds;
  uint32_t* entries;
};

struct BackwardParams {
  int64_t first_item;
  TableSums table, positions;
  PacketTensor dout, gradient;  // gradient: what those written have alike
  int64_t dout_stride[2];
  int32_t batch, length, width, packet;
  bool accumulate;
};

using LookupKernel = void(LookupParams);
using BackwardKernel = void(BackwardParams);

LookupKernel* lookup_kernel();
BackwardKernel* lists_kernel();
BackwardKernel* sums_kernel();

}  // namespace fovea::embedding::cuda
