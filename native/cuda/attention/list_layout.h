// The lists of tiles that a mask with gaps gives: how many, how long, and what makes them.
#pragma once

#include <algorithm>

#include "cuda/attention/backward_tiles.h"
#include "cuda/attention/params.h"
#include "cuda/plan.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cuda {

// Whether kernels with keys of distances are needed.
inline bool has_positions(const Spec& spec) {
  return spec.has_content_bias || spec.has_position_keys;
}

// As kernels see heads: those with keys of distances take rows of single heads, as if each query head had a key
// head of its own.
inline Spec spec_of_kernels(const Spec& given) {
  Spec spec = given;
  if (has_positions(spec)) spec.key_heads = spec.query_heads;
  return spec;
}

// Whether key and value lie as in a cache, or are of a type that only those have, for which plain kernels have no
// loader, or have the keys of a tree, for which these leave no instruction.
inline bool is_cache(const Spec& spec) {
  return spec.has_block_table || spec.has_key_scales || spec.has_value_scales ||
         spec.has_tree_mask || is_quantized(spec.dtype) || spec.cache_dtype != spec.dtype;
}

// The parts that blocks of few rows leave, before the lists in the workspace. One is folded where it is.
struct PartLayout {
  int64_t count = 1;  // of a tile of rows
  int64_t row_tiles = 1;  // of a pair of batch and key head
  __int128 floats = 0;

  PartLayout(const Spec& spec, const AttentionVariant& variant) {
    if (variant.part_keys == 0) return;
    count = variant.parts_of(spec.key_length);
    const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
    row_tiles = tiles_of(rows, variant.tile.rows());
    if (count > 1) {
      floats = __int128{count} * spec.batch * spec.key_heads * row_tiles * std::min<int64_t>(rows, kFewRows) *
               (2 + variant.value_head_dim());
    }
  }
  int64_t bytes() const { return int64_t(4 * floats); }
};

class ListLayout {
 public:
  // For tiles of rows.
  ListLayout(const Spec& spec, const AttentionTile& tile)
      : ListLayout(spec, tile.rows(), tile.keys, false) {}
  // For tiles of keys.
  ListLayout(const Spec& spec, const KeysTile& tile)
      : ListLayout(spec, tile.rows, tile.keys(), true) {}

  // None without such a mask.
  __int128 words() const { return __int128{count_} * lists_.room; }
  int64_t blocks() const { return (count_ + kListThreads - 1) / kListThreads; }

  // In that memory.
  TileLists at(char* memory) const {
    TileLists lists = lists_;
    if (count_ > 0) lists.entries = reinterpret_cast<uint32_t*>(memory);
    return lists;
  }
  ListParams params(const AttentionParams& attention, const TileLists& to) const {
    return {attention, to, count_, tiles_, tile_rows_, tile_keys_, of_keys_};
  }

 private:
  ListLayout(const Spec& spec, int32_t tile_rows, int32_t tile_keys, bool of_keys)
      : tile_rows_(tile_rows), tile_keys_(tile_keys), of_keys_(of_keys) {
    if (!is_sparse(spec)) return;
    const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
    const int64_t row_tiles = (rows + tile_rows - 1) / tile_rows;
    const int64_t key_tiles = (spec.key_length + tile_keys - 1) / tile_keys;
    // Where pixels are counted from the last query, its length moves them.
    const bool alike = spec.alignment == FOVEA_TOP_LEFT ||
                       !(spec.packed || spec.has_query_lengths || spec.has_key_lengths);
    const auto shared = [&](int dim) {
      if (spec.has_image_width) return dim == 1 || alike;
      return spec.block_offsets_stride[dim] == 0 && spec.block_indices_stride[dim] == 0;
    };
    tiles_ = of_keys ? key_tiles : row_tiles;
    lists_.room = 1 + (of_keys ? row_tiles : key_tiles);
    const int64_t heads = shared(1) ? 1 : spec.key_heads;
    lists_.heads = shared(1) ? 0 : tiles_;
    lists_.batches = shared(0) ? 0 : heads * tiles_;
    count_ = tiles_ * heads * (shared(0) ? 1 : spec.batch);
  }

  TileLists lists_ = {};
  int64_t count_ = 0;  // of lists
  int64_t tiles_ = 0;  // that have lists, of a batch index and key head
  int32_t tile_rows_, tile_keys_;
  bool of_keys_;
};

}  // namespace fovea::attention::cuda
