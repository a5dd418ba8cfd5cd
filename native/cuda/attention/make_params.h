// The blocks of parameters that kernels are given, from a plan, a call and its operands. Tiles are
// those of `variant`: of the plan, the variant and its name are not read.
#pragma once

#include <algorithm>
#include <bit>
#include <initializer_list>

#include "core/constants.h"
#include "cuda/attention/backward_layout.h"
#include "cuda/attention/backward_params.h"
#include "cuda/attention/list_layout.h"
#include "cuda/attention/params.h"
#include "cuda/attention/tiles.h"
#include "cuda/attention/warpgroup_boxes.h"
#include "cuda/attention/warpgroup_params.h"
#include "cuda/softmax/make_params.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cuda {

// Rows of `width` elements go to tiles that are `tile_width` wide.
inline RowCopy row_copy(const Spec& spec, const void* address, const int64_t (&stride)[3],
                        int64_t positions, int64_t heads, int64_t width, int tile_width) {
  const uint8_t bytes =
      tile::copy_bytes(address,
                       {tile::used(stride[0], spec.batch), tile::used(stride[1], positions),
                        tile::used(stride[2], heads)},
                       element_bytes(spec.dtype));
  return {bytes, bytes == 16 && width == tile_width};
}

// Rows of a cache, pages or not.
inline RowCopy cache_copy(const Spec& spec, const void* address, const int64_t (&stride)[3]) {
  const int64_t keys = spec.packed ? spec.key_total : spec.key_length;
  const uint8_t bytes = tile::copy_bytes(
      address,
      {tile::used(stride[0], spec.has_block_table ? spec.page_count : spec.batch),
       tile::used(stride[1], spec.has_block_table ? spec.page_size : keys),
       tile::used(stride[2], spec.key_heads)},
      element_bytes(spec.cache_dtype));
  return {bytes, false};
}

inline AttentionParams input_params(const fovea_plan& plan, const Inputs& operands,
                                    const fovea_call& call, const AttentionTile& tile,
                                    bool general, bool cached = false) {
  const Spec& spec = spec_of(plan);
  AttentionParams p = {};
  static_cast<Inputs&>(p) = operands;
  p.spec = spec_of_kernels(spec);
  static_cast<PairParams&>(p) = pair_params(plan, p.spec, call);
  const int64_t queries = spec.packed ? spec.query_total : spec.query_length;
  const int64_t keys = spec.packed ? spec.key_total : spec.key_length;
  p.query_copy = row_copy(spec, p.query, spec.query_stride, queries, spec.query_heads,
                          spec.head_dim, tile.head_dim);
  p.key_copy = row_copy(spec, p.key, spec.key_stride, keys, spec.key_heads, spec.head_dim,
                        tile.head_dim);
  p.value_copy = row_copy(spec, p.value, spec.value_stride, keys, spec.key_heads,
                          spec.value_head_dim, tile.value_head_dim);
  if (cached) {
    p.key_copy = cache_copy(spec, p.key, spec.key_stride);
    p.value_copy = cache_copy(spec, p.value, spec.value_stride);
    p.page_shift = spec.has_block_table ? std::countr_zero(uint64_t(spec.page_size)) : 0;
  }
  if (has_positions(spec)) {
    const int64_t(&stride)[2] = spec.position_keys_stride;
    p.key_group = Divisor::of(uint32_t(spec.query_heads / spec.key_heads));
    p.position_copy.bytes = tile::copy_bytes(
        p.position_keys,
        {tile::used(stride[0], spec.position_count), tile::used(stride[1], spec.query_heads)},
        element_bytes(spec.dtype));
  }
  p.has_rare_modifiers = spec.has_relative_table || spec.has_gaussian_centers || spec.has_spans ||
                         spec.has_mask || spec.has_tree_mask;
  p.is_sparse = is_sparse(spec);
  p.weight_factors = multiplies_weights(spec);
  // The general kernel has scaled its scores already.
  p.softmax_scale = general ? kLog2e : spec.scale * kLog2e;
  return p;
}

inline AttentionParams attention_params(const fovea_plan& plan, const ForwardOperands& operands,
                                        const fovea_call& call, void* workspace,
                                        const AttentionVariant& variant) {
  AttentionParams p =
      input_params(plan, operands, call, variant.tile, variant.general, variant.cached);
  static_cast<ForwardOperands&>(p) = operands;
  const PartLayout parts(p.spec, variant);
  p.part_count = int32_t(parts.count);
  p.row_tiles = int32_t(parts.row_tiles);
  if (parts.count > 1) p.parts = static_cast<float*>(workspace);
  p.lists = ListLayout(p.spec, variant.tile).at(static_cast<char*>(workspace) + parts.bytes());
  return p;
}

// For at most so many blocks. But for the maps, which are the device's to make.
inline WarpgroupParams warpgroup_params(const fovea_plan& plan, const ForwardOperands& operands,
                                        const fovea_call& call, const WarpgroupTile& tile,
                                        int64_t blocks) {
  AttentionTile widths = {};
  widths.head_dim = tile.head_dim;
  widths.value_head_dim = tile.value_head_dim;
  WarpgroupParams p = {};
  static_cast<AttentionParams&>(p) = input_params(plan, operands, call, widths, false);
  static_cast<ForwardOperands&>(p) = operands;
  const WarpgroupItems items(p.spec, tile);
  p.group = Divisor::of(uint32_t(items.group));
  p.key_group = Divisor::of(uint32_t(items.groups / p.spec.key_heads));
  p.key_heads = int32_t(items.groups);
  p.pairs = p.spec.batch * items.groups;
  p.tiles = int32_t(items.tiles);
  p.items = int32_t(p.pairs * p.tiles);
  p.blocks = int32_t(std::min<int64_t>(p.items, blocks));
  return p;
}

inline BackwardParams backward_params(const fovea_plan& plan, const BackwardOperands& operands,
                                      const fovea_call& call, void* workspace,
                                      const BackwardVariant& variant) {
  const Spec spec = spec_of_kernels(spec_of(plan));
  BackwardParams b = {};
  static_cast<BackwardOperands&>(b) = operands;
  b.forward = input_params(plan, operands, call, variant.tile.queries, variant.general);
  b.forward.out = const_cast<void*>(operands.out);
  b.forward.lse = const_cast<float*>(operands.lse);

  const BackwardLayout layout(plan, variant);
  char* const base = static_cast<char*>(workspace);
  if (layout.row_lists >= 0) {
    b.forward.lists = ListLayout(spec, variant.tile.queries).at(base + layout.row_lists);
  }
  if (variant.positions) {
    // A block of the phase of keys has all query heads of a key head.
    if (call.phase == kKeysPhase) {
      b.forward.key_heads = int32_t(spec_of(plan).key_heads);
      b.forward.pairs = spec.batch * b.forward.key_heads;
      if (b.forward.pairs > 0) b.forward.tiles = int32_t(plan.items[call.phase] / b.forward.pairs);
    }
    if (layout.content_count > 0) {
      b.content_parts = reinterpret_cast<float*>(base + layout.content_parts);
    }
    if (layout.position_count > 0) {
      b.position_parts = reinterpret_cast<float*>(base + layout.position_parts);
    }
    b.content_count = layout.content_count;
    b.position_count = layout.position_count;
  } else {
    b.key_lists = ListLayout(spec, variant.tile.keys).at(base + layout.key_lists);
  }
  b.lse2 = reinterpret_cast<float*>(base + layout.lse2);
  b.highest = reinterpret_cast<float*>(base + layout.highest);
  b.rest = reinterpret_cast<float*>(base + layout.rest);
  if (layout.norm >= 0) b.norm = reinterpret_cast<float*>(base + layout.norm);
  b.delta = reinterpret_cast<float*>(base + layout.delta);
  if (layout.sums >= 0) b.dquery_sums = reinterpret_cast<float*>(base + layout.sums);
  const int64_t positions = spec.packed ? spec.query_total : spec.query_length;
  b.dout_factor = operands.dout;
  std::copy_n(spec.dout_stride, 3, b.dout_factor_stride);
  if (layout.dout >= 0) {
    b.dout_factor = b.dout_copy = base + layout.dout;
    b.dout_factor_stride[2] = spec.value_head_dim;
    b.dout_factor_stride[1] = spec.query_heads * b.dout_factor_stride[2];
    b.dout_factor_stride[0] = spec.packed ? 0 : spec.query_length * b.dout_factor_stride[1];
  }
  b.dout_rows = row_copy(spec, b.dout_factor, b.dout_factor_stride, positions, spec.query_heads,
                         spec.value_head_dim, variant.tile.value_head_dim());
  const RowOperandItems items(spec, variant);
  const auto gradients = row_gradients(spec, operands);
  for (int s = 0; s < kRowOperands; ++s) {
    const RowGradient& it = gradients[s];
    RowSums& sums = b.row_sums[s];
    sums.to = it.to;
    std::copy_n(it.stride, 3, sums.stride);
    sums.begin = items.begin[s];
    sums.all_batches = it.all_batches(spec);
    sums.all_heads = it.all_heads();
    sums.all_queries = it.all_queries();
  }
  b.table_begin = items.table_begin;
  b.loads_begin = items.loads_begin;
  b.gates_begin = KeyOperandItems(spec, variant.tile.queries).gates_begin;
  b.head_rows = layout.head_rows;
  b.padding = variant.padding();
  b.sum_width = variant.tile.head_dim();
  b.general = variant.general;
  return b;
}

}  // namespace fovea::attention::cuda
