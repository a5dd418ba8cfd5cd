// What a variant is to the compiler: one of the project's tile structs, from a head dim and the
// fields of its tile in their order.
#pragma once

#include "cuda/attention/warpgroup_tiles.h"

namespace fovea::attention::cuda {

// bfloat16 stands for float16, whose code is the same but for two opcodes.
constexpr bool is_base(const auto& it, int head_dim) {
  return it.precision == Precision::kBfloat16 && !it.general && it.head_dim() == head_dim &&
         it.value_head_dim() == head_dim;
}

constexpr bool is_base(const WarpgroupVariant& it, int head_dim) {
  return it.precision == Precision::kBfloat16 && it.tile.head_dim == head_dim &&
         it.tile.value_head_dim == head_dim;
}

constexpr AttentionVariant forward_variant(int head_dim, int warps, int warp_rows, int keys,
                                           int slots, int shares, int blocks) {
  return {Precision::kBfloat16,
          {head_dim, head_dim, warps, warp_rows, keys, slots, shares, blocks},
          false};
}

// Its other kernels are those of the table's first.
constexpr BackwardVariant backward_keys_variant(int head_dim, int warps, int warp_keys, int rows,
                                                int stages, int shares, int blocks) {
  const KeysTile keys{warps, warp_keys, rows, stages, shares, blocks};
  for (const BackwardVariant& it : kBackwardVariants) {
    if (is_base(it, head_dim)) return {it.precision, {keys, it.tile.queries}, it.general};
  }
  return {};
}

constexpr WarpgroupVariant warpgroup_variant(int head_dim, int consumers, int keys, int stages,
                                             int producer_registers, int consumer_registers,
                                             int held, bool out_over_queries) {
  return {Precision::kBfloat16,
          {head_dim, head_dim, consumers, keys, stages, producer_registers, consumer_registers,
           held, out_over_queries}};
}

}  // namespace fovea::attention::cuda
