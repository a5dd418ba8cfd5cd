// What the attention kernels are given: one block, passed by value to every thread.
#pragma once

#include <cstdint>

#include "cuda/softmax/params.h"
#include "ops/attention/operands.h"
#include "tile/rows.h"

namespace fovea::attention::cuda {

using namespace fovea::cuda;
using tile::RowCopy;

// For each tile of rows the tiles of keys that a mask with gaps lets any of them see, or the other way round: how
// many there are, and an entry for each, rising (block_lists.cuh).
struct TileLists {
  uint32_t* entries;       // null without such a mask
  int64_t batches, heads;  // lists of a batch index and of a key head; 0 where all share them
  int64_t room;            // of a list, its count included
};

struct AttentionParams : ForwardOperands, PairParams {
  Spec spec;  // the batch strides of packed tensors are 0
  TileLists lists;
  RowCopy query_copy, key_copy, value_copy;
  RowCopy position_copy;  // of position_keys
  Divisor key_group;  // with keys of distances, whose rows are of single heads: how many share keys
  bool is_sparse;           // whether the mask has gaps
  bool has_rare_modifiers;  // any of distances, Gaussian, span, mask and tree
  uint32_t weight_factors;  // not 0 where dropout or gates of keys multiply weights before their product
  float softmax_scale;  // of the scores that enter the softmax, to units of log2
  int32_t page_shift;   // of a cache in pages, the logarithm of their rows
  float* parts;         // of few rows, what blocks leave to be folded; null where each has all keys
  int32_t part_count;   // of the longest sequence
  int32_t row_tiles;    // of a pair, each of which has all parts
};

using AttentionKernel = void(AttentionParams);

// What the kernel that makes lists is given, a thread for each.
constexpr int kListThreads = 128;
struct ListParams {
  AttentionParams attention;
  TileLists to;
  int64_t count, tiles;  // lists; those of a batch index and key head
  int32_t tile_rows, tile_keys;
  bool of_keys;
};

using ListKernel = void(ListParams);
ListKernel* list_tiles_kernel();

}  // namespace fovea::attention::cuda
