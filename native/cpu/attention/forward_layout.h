// The float32 memory of one CPU worker: what the planner reserves and the kernels use.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/softmax/backward_layout.h"
#include "cpu/tier.h"
#include "ops/attention/attention.h"
#include "ops/attention/modifier_program.h"

namespace fovea::attention::cpu {

// A panel is this many vectors of query rows.
constexpr int kPanelVectors = 3;

// Heads of a group whose key gates differ.
inline int64_t gate_heads(const Spec& spec) {
  if (!spec.has_key_gates) return 0;
  return spec.key_gates_stride[1] == 0 ? 1 : spec.query_heads / spec.key_heads;
}

// Bands of keys of distances that the heads of a group have.
inline int64_t position_bands(const Spec& spec) {
  if (!spec.has_position_keys) return 0;
  return spec.position_keys_stride[1] == 0 ? 1 : spec.query_heads / spec.key_heads;
}

// Room for the distances between so many rows and keys, and for what vectors are filled up with at both
// ends.
inline int64_t band_room(const Spec& spec, int64_t rows, int64_t keys) {
  const int64_t group = spec.query_heads / spec.key_heads;
  return fovea::cpu::apart(keys + (rows - 1) / group + 1 + 2 * 16);
}

// Keys are summed up in parts of so many, and these then in their order: always, so that a row's bits do not
// depend on whether workers share its keys.
constexpr int64_t kPartKeys = 1024;
constexpr int kMostTileKeys = 128;

// Keys of a panel whose scores are modified together: registers of a program are in L1 then.
constexpr int kModifiedKeys = 8;

// Of the registers of a score modifier, of `width` scores and so many parts of them.
inline int64_t modifier_floats(int64_t width, int64_t parts) {
  return width * (ModifierProgram::kRowRegisters + ModifierProgram::kKeyRegisters * parts);
}

// Offsets and sizes in floats, each part on a 64-byte boundary.
struct ForwardLayout {
  int64_t value_groups;  // groups of value columns, the last one filled up
  int64_t query_panel, output_panel;
  int64_t keys, values, scores, alpha, maximum, queries;
  int64_t outputs, m, l;  // of one part of the keys, and `sums` behind them of those before it
  int64_t sums;
  int64_t key_scales, value_scales;
  int64_t relative;  // for each head of a panel, what is added by distance
  int64_t seen;      // bytes: for each row of a panel, the keys of a tile that lie in no gap of its mask
  int64_t gates;     // of the tile's keys, for each head that has its own
  int64_t program;   // registers of a score modifier
  int64_t biased, biased_row;  // eight queries with the content bias
  int64_t position_queries, position_row;
  int64_t position_columns, position_scores;  // bands, and their products with a panel
  int64_t column_row, position_score_row;
  int64_t total;

  // Inline, so that no two tiers share its code.
  [[gnu::always_inline]] ForwardLayout(int tile_queries, int tile_keys, const fovea::cpu::Tier& tier,
                                       const Spec& spec) {
    const int64_t width = int64_t{kPanelVectors} * tier.lanes, group = tier.group;
    const int64_t columns = (spec.head_dim + tier.terms - 1) / tier.terms * tier.terms;
    const int64_t panels = tile_queries / width;
    value_groups = (spec.value_head_dim + group - 1) / group;
    query_panel = columns * width;
    output_panel = value_groups * group * width;
    int64_t next = 0;
    const auto reserve = [&next](int64_t count) {
      const int64_t at = next;
      next += (count + 15) / 16 * 16;
      return at;
    };
    keys = reserve(tile_keys * columns);
    values = reserve(tile_keys * value_groups * group);
    scores = reserve(tile_keys * width);
    alpha = reserve(width);
    maximum = reserve(width);
    queries = reserve(panels * query_panel);
    outputs = reserve(panels * output_panel);
    m = reserve(panels * width);
    l = reserve(panels * width);
    sums = next - outputs;
    if (spec.key_length > kPartKeys) reserve(sums);
    key_scales = reserve(spec.has_key_scales ? tile_keys : 0);
    value_scales = reserve(spec.has_value_scales ? tile_keys : 0);
    const int64_t heads = std::min(spec.query_heads / spec.key_heads, width);
    relative = reserve(spec.has_relative_table ? heads * (tile_keys + width) : 0);
    seen = reserve(is_sparse(spec) ? tile_keys * width / int64_t{sizeof(float)} : 0);
    gates = reserve(gate_heads(spec) * tile_keys);
    biased_row = position_row = fovea::cpu::apart(spec.head_dim);
    biased = reserve(spec.has_content_bias ? 8 * biased_row : 0);
    const bool positions = spec.has_position_keys;
    column_row = band_room(spec, tile_queries, tile_keys);
    position_score_row = band_room(spec, width, tile_keys);
    position_queries = reserve(positions ? tile_queries * position_row : 0);
    position_columns = reserve(position_bands(spec) * spec.head_dim * column_row);
    position_scores = reserve(positions ? width * position_score_row : 0);
    program = reserve(spec.has_modifier_program ? modifier_floats(width, kModifiedKeys) : 0);
    total = next;
  }
};

// Of one item, what the phase of parts leaves for the next: panels of outputs, m and l, as wide as there are rows.
struct PartLayout {
  int64_t panel;  // of a whole one
  int64_t total;

  [[gnu::always_inline]] PartLayout(int tile_queries, const fovea::cpu::Tier& tier, const Spec& spec) {
    const int64_t lanes = tier.lanes;
    const int64_t columns = (spec.value_head_dim + tier.group - 1) / tier.group * tier.group + 2;
    const int64_t rows = std::min<int64_t>(
        tile_queries, spec.query_length * (spec.query_heads / spec.key_heads));
    panel = kPanelVectors * lanes * columns;
    total = (rows + lanes - 1) / lanes * lanes * columns;
  }
};

inline int64_t parts_of(int64_t keys) { return (keys + kPartKeys - 1) / kPartKeys; }

}  // namespace fovea::attention::cpu
