// Queries, keys and values as the copy engine takes them, where it does.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <limits>

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

// An item is a tile of rows of a group of query heads.
struct WarpgroupItems {
  int64_t group, groups, tiles;  // heads of a group, groups, tiles of each

  WarpgroupItems(const Spec& spec, const WarpgroupTile& tile)
      : group(shared_heads(spec)),
        groups(spec.query_heads / group),
        tiles((spec.query_length * group + tile.rows() - 1) / tile.rows()) {}
};

// A dimension of size 1 may have any stride.
inline uint64_t byte_stride(int64_t stride, int64_t size, uint64_t element) {
  return size > 1 ? uint64_t(stride) * element : 16;
}

// A box is a tile of rows: columns, as many as make a piece, heads of a group, positions.
inline TensorBoxes query_boxes(const Spec& spec, const void* query, const int64_t (&stride)[3], int64_t width, int rows) {
  const int64_t group = shared_heads(spec), groups = spec.query_heads / group;
  const int64_t positions = spec.packed ? spec.query_total : spec.query_length;
  const int64_t batch = spec.packed ? 1 : spec.batch;
  const auto bytes = uint32_t(element_bytes(spec.dtype));
  return {query,
          5,
          bytes,
          {uint64_t(width), uint64_t(group), uint64_t(positions), uint64_t(groups), uint64_t(batch)},
          {bytes, byte_stride(stride[2], group, bytes), byte_stride(stride[1], positions, bytes),
           byte_stride(stride[2] * group, groups, bytes), byte_stride(stride[0], batch, bytes)},
          {128 / bytes, uint32_t(group), uint32_t(rows / group), 1, 1},
          128};
}

// A tile of keys or values.
inline TensorBoxes key_boxes(const Spec& spec, const void* tensor, const int64_t (&stride)[3], int64_t width, int keys) {
  const int64_t positions = spec.packed ? spec.key_total : spec.key_length;
  const int64_t batch = spec.packed ? 1 : spec.batch;
  const auto bytes = uint32_t(element_bytes(spec.dtype));
  return {tensor,
          4,
          bytes,
          {uint64_t(width), uint64_t(positions), uint64_t(spec.key_heads), uint64_t(batch)},
          {bytes, byte_stride(stride[1], positions, bytes), byte_stride(stride[2], spec.key_heads, bytes),
           byte_stride(stride[0], batch, bytes)},
          {128 / bytes, uint32_t(keys), 1, 1},
          128};
}

// Values of e4m3 as their kernel leaves them in the workspace: tiles of the keys of a sequence, each of whole tiles, a
// box a tile of a key head.
struct TransposedValues {
  int64_t sequence_tiles, tiles;  // of a sequence that is not packed, and of all
  int64_t head_bytes, tile_bytes;

  explicit TransposedValues(const Spec& spec)
      : sequence_tiles((spec.key_length + kTransposedKeys - 1) / kTransposedKeys),
        tiles(spec.packed ? spec.key_total / kTransposedKeys + spec.batch : spec.batch * sequence_tiles),
        head_bytes(spec.value_head_dim * kTransposedKeys),
        tile_bytes(head_bytes * spec.key_heads) {}

  // No more where boxes() is taken: 2^32 tiles of 2^40 bytes. What a memory holds is the caller's to find out.
  int64_t bytes() const {
    return int64_t(std::min(__int128{tiles} * tile_bytes, __int128{std::numeric_limits<int64_t>::max()}));
  }

  TensorBoxes boxes(const Spec& spec, const void* tensor, int columns) const {
    return {tensor,
            4,
            1,
            {kTransposedKeys, uint64_t(spec.value_head_dim), uint64_t(spec.key_heads), uint64_t(tiles)},
            {1, kTransposedKeys, uint64_t(head_bytes), uint64_t(tile_bytes)},
            {kTransposedKeys, uint32_t(columns), 1, 1},
            128};
  }
};

// Whether an engine takes all of them: strides, and addresses, are multiples of 16 bytes, and none is empty.
inline bool are_taken(std::initializer_list<const TensorBoxes*> all) {
  char why[120];
  return std::all_of(all.begin(), all.end(), [&](const TensorBoxes* it) { return check_boxes(*it, why, sizeof why); });
}

struct AttentionBoxes {
  TensorBoxes query, key, value;

  // `value` is where transposed values are, where there are any.
  AttentionBoxes(const Spec& spec, const void* query, const void* key, const void* value, const WarpgroupVariant& it)
      : query(query_boxes(spec, query, spec.query_stride, spec.head_dim, it.tile.rows())),
        key(key_boxes(spec, key, spec.key_stride, spec.head_dim, it.tile.keys)),
        value(it.has_transposed_values()
                  ? TransposedValues(spec).boxes(spec, value, it.tile.value_head_dim)
                  : key_boxes(spec, value, spec.value_stride, spec.value_head_dim, it.tile.keys)) {}

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
