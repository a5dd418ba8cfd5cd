// What queries, keys and values of e4m3 need beside products: their scales, and where transposed values lie.
#pragma once

#include "cuda/attention/warpgroup_params.h"
#include "cuda/attention/warpgroup_tiles.h"
#include "cuda/softmax/rows.cuh"

namespace fovea::attention::cuda {

// The tile of transposed values that a sequence's first is: of packed sequences each begins with one of its own.
FOVEA_DEVICE int32_t first_transposed(const WarpgroupParams& p, const AttentionRows& rows) {
  return p.spec.packed ? rows.key_start / kTransposedKeys + rows.batch : rows.batch * p.sequence_tiles;
}

// Of the sequence and key head that these rows are of; 1 where there are no scales.
FOVEA_DEVICE float load_head_scale(const WarpgroupParams& p, const float* scales, int64_t batch_stride,
                                   int64_t head_stride, uint32_t shared_rows) {
  if (scales == nullptr) return 1;
  const auto head = uint32_t(load_rows_field<offsetof(AttentionRows, key_head)>(shared_rows));
  const int64_t batch = load_rows_field<offsetof(AttentionRows, batch)>(shared_rows);
  return tile::load_global(scales + batch * batch_stride + divide(head, p.key_group) * head_stride);
}

// What scores are multiplied by, to natural units.
FOVEA_DEVICE float load_score_scale(const WarpgroupParams& p, uint32_t shared_rows) {
  const float query = load_head_scale(p, p.query_scales, p.spec.query_scales_stride[0], p.spec.query_scales_stride[1],
                                      shared_rows);
  const float key = load_head_scale(p, p.key_scales, p.spec.key_scales_stride[0], 1, shared_rows);
  return p.spec.scale * query * key;
}

FOVEA_DEVICE float load_value_scale(const WarpgroupParams& p, uint32_t shared_rows) {
  return load_head_scale(p, p.value_scales, p.spec.value_scales_stride[0], 1, shared_rows);
}

}  // namespace fovea::attention::cuda
