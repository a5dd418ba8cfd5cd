// Queries, keys and values as the copy engine takes them, where it does.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "core/tensor_map.h"
#include "cuda/attention/backward_params.h"
#include "cuda/attention/warpgroup_tiles.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cuda {

// Query heads that share a tile of rows: those of a key head, if tiles of a warpgroup have whole positions so.
inline int64_t shared_heads(const Spec& spec) {
  const int64_t group = spec.query_heads / spec.key_heads;
  return 64 % group == 0 ? group : 1;
}

// A dimension of size 1 may have any stride.
inline uint64_t byte_stride(int64_t stride, int64_t size) { return size > 1 ? uint64_t(stride) * 2 : 16; }

// A box is a tile of rows: columns, heads of a group, positions.
inline TensorBoxes query_boxes(const Spec& spec, const void* query, const int64_t (&stride)[3], int64_t width, int rows) {
  const int64_t group = shared_heads(spec), groups = spec.query_heads / group;
  const int64_t positions = spec.packed ? spec.query_total : spec.query_length;
  const int64_t batch = spec.packed ? 1 : spec.batch;
  return {query,
          5,
          2,
          {uint64_t(width), uint64_t(group), uint64_t(positions), uint64_t(groups), uint64_t(batch)},
          {2, byte_stride(stride[2], group), byte_stride(stride[1], positions),
           byte_stride(stride[2] * group, groups), byte_stride(stride[0], batch)},
          {64, uint32_t(group), uint32_t(rows / group), 1, 1},
          128};
}

// A tile of keys or values.
inline TensorBoxes key_boxes(const Spec& spec, const void* tensor, const int64_t (&stride)[3], int64_t width, int keys) {
  const int64_t positions = spec.packed ? spec.key_total : spec.key_length;
  const int64_t batch = spec.packed ? 1 : spec.batch;
  return {tensor,
          4,
          2,
          {uint64_t(width), uint64_t(positions), uint64_t(spec.key_heads), uint64_t(batch)},
          {2, byte_stride(stride[1], positions), byte_stride(stride[2], spec.key_heads), byte_stride(stride[0], batch)},
          {64, uint32_t(keys), 1, 1},
          128};
}

// Whether an engine takes all of them: strides, and addresses, are multiples of 16 bytes, and none is empty.
inline bool are_taken(std::initializer_list<const TensorBoxes*> all) {
  char why[120];
  return std::all_of(all.begin(), all.end(), [&](const TensorBoxes* it) { return check_boxes(*it, why, sizeof why); });
}

struct AttentionBoxes {
  TensorBoxes query, key, value;

  AttentionBoxes(const Spec& spec, const void* query, const void* key, const void* value, const WarpgroupTile& tile)
      : query(query_boxes(spec, query, spec.query_stride, spec.head_dim, tile.rows())),
        key(key_boxes(spec, key, spec.key_stride, spec.head_dim, tile.keys)),
        value(key_boxes(spec, value, spec.value_stride, spec.value_head_dim, tile.keys)) {}

  bool are_taken() const { return cuda::are_taken({&query, &key, &value}); }
};

// Of a backward pass; dout may be a copy of the caller's.
struct BackwardBoxes {
  TensorBoxes query, dout, key, value;

  BackwardBoxes(const Spec& spec, const BackwardParams& b, const WarpgroupKeysTile& tile)
      : query(query_boxes(spec, b.forward.query, spec.query_stride, spec.head_dim, tile.rows)),
        dout(query_boxes(spec, b.dout_factor, b.dout_factor_stride, spec.value_head_dim, tile.rows)),
        key(key_boxes(spec, b.forward.key, spec.key_stride, spec.head_dim, tile.kKeys)),
        value(key_boxes(spec, b.forward.value, spec.value_stride, spec.value_head_dim, tile.kKeys)) {}

  bool are_taken() const { return cuda::are_taken({&query, &dout, &key, &value}); }
};

}  // namespace fovea::attention::cuda
