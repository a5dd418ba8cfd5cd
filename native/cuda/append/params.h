// What the kernel of an append is given: one block, passed by value to every thread.
#pragma once

#include "cuda/packet_tensor.h"
#include "ops/append/operands.h"

namespace fovea::append::cuda {

using namespace fovea::cuda;

constexpr int kThreads = 128, kBlocks = 5;
// Rows of a tile where each has a scale of its own: a block without rows, of which ragged batches have many, costs as
// much as one with them.
constexpr int kRows = 8;

// Keys, or values.
struct RowsParams {
  PacketTensor from;
  char* cache;
  float* scales;  // null: none
  int64_t from_stride[3];
  int64_t cache_stride[3];  // bytes
  int64_t scales_stride[2];
  int32_t columns, pairs;
  int32_t packet, packets;  // elements of one; those of a row
  bool cache_whole;         // every packet of the cache is at a multiple of its size
};

struct AppendParams {
  int64_t first_item;
  RowsParams rows[2];
  const int32_t *starts, *lengths, *cu_seqlens, *positions, *block_table;
  const float *cosines, *sines;
  int64_t cosines_stride[2], sines_stride[2], positions_stride, block_table_stride;
  int64_t new_total;
  int32_t cache_dtype;
  int32_t batch, length, heads, cache_length;
  int32_t page_count, page_size;  // 0 without pages
  int32_t position_count;
  bool interleaved;
  bool shared[2];        // rows of a page, or of a sequence, have one scale
  int32_t tile[2];       // rows of a tile; of a page where they share a scale
  int32_t tiles[2];      // of a sequence
  int32_t lanes;         // threads of a tile of a head
  int32_t blocks[2];     // of keys and of values
};

using AppendKernel = void(AppendParams);

AppendKernel* store_kernel();

}  // namespace fovea::append::cuda
