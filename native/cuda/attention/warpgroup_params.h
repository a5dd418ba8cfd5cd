// What the kernels of warpgroups are given.
#pragma once

#include "core/tensor_map.h"
#include "cuda/attention/backward_params.h"

namespace fovea::attention::cuda {

// `group` are the query heads that share a tile of rows, of which `key_group` such groups share a key head.
struct WarpgroupParams : AttentionParams {
  TensorMap query_map, key_map, value_map;
  int32_t items, blocks;  // of the whole problem; a block does one after the other
};

using WarpgroupKernel = void(WarpgroupParams);

struct WarpgroupBackwardParams : BackwardParams {
  TensorMap query_map, dout_map, key_map, value_map;
};

using WarpgroupBackwardKernel = void(WarpgroupBackwardParams);

}  // namespace fovea::attention::cuda
