// Where the backward pass keeps what in its workspace.
#pragma once

#include "cuda/attention/list_layout.h"
#include "ops/attention/row_operands.h"

namespace fovea::attention::cuda {

// A dimension that is summed over is the work of one block.
constexpr int64_t owners(int64_t count, bool summed) { return summed ? 1 : count; }

// Tiles of so many distances that have gradients, and the heads of dposition_keys.
constexpr int64_t distance_tiles(const Spec& spec, int64_t distances) {
  const bool wanted = spec.has_dposition_keys || spec.has_dposition_bias;
  return wanted ? (spec.position_count + distances - 1) / distances : 0;
}
constexpr int64_t position_heads(const Spec& spec) {
  return owners(spec.query_heads, spec.has_dposition_keys && spec.dposition_keys_stride[1] == 0);
}

// Items of the phase that sums the gradients of row operands, of the relative table and of that of a program;
// those of operand s begin at begin[s].
struct RowOperandItems {
  int64_t begin[kRowOperands], table_begin, loads_begin;
  // By kernels of their own: keys of distances, biases of queries.
  int64_t positions_begin, bias_begin;
  __int128 count = 0;

  RowOperandItems(const Spec& spec, const BackwardVariant& variant) {
    const int64_t tile_rows = variant.tile.queries.rows(), columns = variant.table_columns();
    const auto gradients = row_gradients(spec, {});
    for (int s = 0; s < kRowOperands; ++s) {
      begin[s] = int64_t(count);
      const RowGradient& it = gradients[s];
      if (!it.wanted) continue;
      count += __int128{owners(spec.batch, it.all_batches(spec))} *
               owners(spec.query_heads, it.all_heads()) *
               owners((spec.query_length + tile_rows - 1) / tile_rows, it.all_queries());
    }
    table_begin = int64_t(count);
    if (spec.has_drelative_table) {
      count += __int128{spec.query_heads} * ((spec.relative_count + columns - 1) / columns);
    }
    loads_begin = int64_t(count);
    if (spec.has_dmodifier_table) {
      count += __int128{owners(spec.query_heads, spec.dmodifier_table_stride[0] == 0)} *
               ((spec.modifier_columns + columns - 1) / columns);
    }
    positions_begin = int64_t(count);
    count += __int128{position_heads(spec)} * distance_tiles(spec, variant.distances());
    bias_begin = int64_t(count);
    if (spec.has_dcontent_bias || spec.has_dposition_bias) count += spec.query_heads;
  }
};

// Items of the phase that sums over rows what a tile of keys gives: dbias, then dkey_gates.
struct KeyOperandItems {
  int64_t gates_begin;
  __int128 count = 0;

  KeyOperandItems(const Spec& spec, const AttentionTile& tile) {
    const int64_t key_tiles = (spec.key_length + tile.keys - 1) / tile.keys;
    if (spec.has_dbias) {
      const int64_t(&stride)[3] = spec.dbias_stride;
      const int64_t query_tiles = (spec.query_length + tile.rows() - 1) / tile.rows();
      count = __int128{key_tiles} * owners(query_tiles, stride[2] == 0) *
              owners(spec.batch, stride[spec.packed ? 2 : 0] == 0) *
              owners(spec.query_heads, stride[1] == 0);
    }
    gates_begin = int64_t(count);
    if (spec.has_dkey_gates) {
      const int64_t(&stride)[2] = spec.dkey_gates_stride;
      count += __int128{key_tiles} * owners(spec.batch, !spec.packed && stride[0] == 0) *
               owners(spec.query_heads, stride[1] == 0);
    }
  }
};

struct BackwardLayout {
  int64_t head_rows;  // for each key head: those of all sequences, each with its padding
  // Bytes from the start; -1 = not kept.
  int64_t lse2, highest, rest, norm, delta, sums, dout, row_lists, key_lists;
  int64_t content_parts, position_parts, content_count, position_count;  // parts, and how many
  __int128 bytes;

  explicit BackwardLayout(const fovea_plan& plan)
      : BackwardLayout(plan, kBackwardVariants[plan.variant]) {}

  BackwardLayout(const fovea_plan& plan, const BackwardVariant& variant) {
    const Spec spec = spec_of_kernels(spec_of(plan));
    const int64_t queries = spec.packed ? spec.query_total : spec.batch * spec.query_length;
    head_rows = queries * (spec.query_heads / spec.key_heads) + spec.batch * (variant.padding() + kRowAlignment);
    head_rows = (head_rows + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
    const __int128 rows = __int128{head_rows} * spec.key_heads;
    bytes = 0;
    lse2 = add(rows * 4);
    highest = add(rows * 4);
    rest = add(rows * 4);
    norm = variant.precision == Precision::kFloat16 ? add(rows * 4) : -1;
    delta = add(rows * 4);
    const bool own = spec.deterministic || variant.positions;  // dquery has sums of its own
    sums = own ? -1 : add(rows * variant.tile.head_dim() * 4);
    const bool taken = spec.out_dtype == spec.dtype && spec.output_gates_dtype == 0;
    dout = taken ? -1
                                        : add(__int128{queries} * spec.query_heads *
                                              spec.value_head_dim * variant.element_bytes());
    row_lists = own ? add(4 * ListLayout(spec, variant.tile.queries).words()) : -1;
    key_lists = add(variant.positions ? 0 : 4 * ListLayout(spec, variant.tile.keys).words());
    const __int128 row = __int128{spec.query_heads} * spec.head_dim * 4;
    const int64_t keys = variant.tile.keys.keys();
    content_count = spec.has_dcontent_bias ? spec.batch * ((spec.key_length + keys - 1) / keys) : 0;
    position_count = spec.has_dposition_bias ? distance_tiles(spec, variant.distances()) : 0;
    content_parts = add(content_count * row);
    position_parts = add(position_count * row);
  }

 private:
  int64_t add(__int128 size) {
    const int64_t at = int64_t(bytes);
    bytes += (size + 255) / 256 * 256;
    return at;
  }
};

}  // namespace fovea::attention::cuda
