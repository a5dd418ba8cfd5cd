// What the kernels of warpgroups are given.
#pragma once

#include "core/tensor_map.h"
#include "cuda/attention/backward_params.h"

namespace fovea::attention::cuda {

// A block that transposes a tile of values: 128 columns of 128 keys at once.
constexpr int kTransposeThreads = 256, kTransposeBytes = 128 * 128;

// `group` are the query heads that share a tile of rows, of which `key_group` such groups share a key head.
struct WarpgroupParams : AttentionParams {
  TensorMap query_map, key_map, value_map;
  int32_t items, blocks;  // of the whole problem; a block does one after the other
  uint8_t* transposed;    // values of e4m3: [tile of keys][key head][column][key]
  int32_t sequence_tiles; // of them for each sequence that is not packed
};

using WarpgroupKernel = void(WarpgroupParams);

struct WarpgroupBackwardParams : BackwardParams {
  TensorMap query_map, dout_map, key_map, value_map;
};

using WarpgroupBackwardKernel = void(WarpgroupBackwardParams);

}  // namespace fovea::attention::cuda
