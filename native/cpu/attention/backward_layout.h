// How the backward pass on a CPU cuts its work and its memory: what the planner counts and
// reserves, and the kernels use.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/attention/forward_layout.h"
#include "cpu/softmax/backward_layout.h"
#include "ops/attention/attention.h"
#include "ops/attention/distances.h"
#include "ops/attention/row_operands.h"

namespace fovea::attention::cpu {

using fovea::cpu::kKeyPhase, fovea::cpu::kQueryPhase, fovea::cpu::kRowPhase, fovea::cpu::RowTile,
    fovea::cpu::RowTiles;

// Behind those of rows and keys.
enum BackwardPhase {
  kBiasPhase = fovea::cpu::kFirstOwnPhase,  // dbias
  kHeadPhase,  // dsinks, drelative_table, dkey_gates, gradients of query biases and of row operands
  kPositionPhase,  // dposition_keys
  kBackwardPhases,
};

inline int64_t key_chunks(int64_t key_length) { return fovea::cpu::key_chunks(key_length, 1024); }

// What their items are. A dimension of an output that is summed over is one piece.
struct BackwardPieces {
  bool batches_summed, heads_summed, queries_summed;  // of dbias
  RowTiles bias_tiles;                                // of its batches and queries
  int64_t bias_heads, bias_keys;
  int64_t bias_queries;  // in each of bias_tiles
  int64_t heads;  // of kHeadPhase
  static constexpr int64_t kDistances = 64;  // in an item of kPositionPhase, of one head or their sum
  int64_t position_heads, position_tiles;

  explicit BackwardPieces(const fovea_plan& plan) {
    const Spec& spec = spec_of(plan);
    const int64_t group = spec.query_heads / spec.key_heads;
    queries_summed = spec.dbias_stride[2] == 0;
    // Packed sequences have positions of their own, unless these are summed over.
    batches_summed = spec.packed ? queries_summed : spec.dbias_stride[0] == 0;
    heads_summed = spec.dbias_stride[1] == 0;
    bias_heads = heads_summed ? 1 : spec.key_heads;
    // A tile of keys is packed once for a few tiles of rows.
    bias_queries = std::max<int64_t>(1, 4 * plan.tile_queries / group);
    bias_tiles =
        RowTiles(spec.packed && !queries_summed, batches_summed ? 1 : spec.batch,
                 queries_summed ? 1 : spec.query_length, spec.query_total, 1, bias_queries);
    bias_keys = (spec.key_length + plan.tile_keys - 1) / plan.tile_keys;
    bool wanted = spec.has_dsinks || spec.has_drelative_table || spec.has_dmodifier_table ||
                  spec.has_dkey_gates || spec.has_dcontent_bias || spec.has_dposition_bias;
    bool summed = (spec.has_dkey_gates && spec.dkey_gates_stride[1] == 0) ||
                  (spec.has_dmodifier_table && spec.dmodifier_table_stride[0] == 0);
    for (const RowGradient& it : row_gradients(spec, {})) {
      wanted |= it.wanted;
      summed |= it.wanted && it.all_heads();
    }
    heads = !wanted ? 0 : summed ? 1 : spec.query_heads;
    position_heads = spec.dposition_keys_stride[1] == 0 ? 1 : spec.query_heads;
    position_tiles =
        spec.has_dposition_keys ? (spec.position_count + kDistances - 1) / kDistances : 0;
  }
};

// The float32 memory of one worker. Offsets and sizes in floats, each part on a 64-byte boundary.
struct BackwardScratch {
  // Of rows of keys, of head_dim and of value_head_dim elements.
  int64_t key_row, query_row, value_row;
  int64_t keys, transposed_keys, transposed_values, queries, douts;
  int64_t weights, gradients;  // P and dS of a tile; a cache line before dS as there is behind its rows
  // Of products of pairs: two rows of these as one, and dS as rows of pairs of keys.
  int64_t joined_queries, joined_douts, joined_weights, joined_gradients, gradient_rows;
  int64_t pair_row;  // of products by tiles: of weights and dS as rows of pairs of rows
  int64_t dkeys, dvalues;
  int64_t bias, mask, buckets, kept;  // of one row
  int64_t gates;                      // of the tile's keys, for each head that has its own
  int64_t output_gates;               // of one row
  int64_t program;                    // registers of a score modifier
  int64_t column_row, band_score_row;
  int64_t position_queries;  // of keys of distances: with the bias; bands both ways; their products
  int64_t position_columns, position_band, position_scores;
  int64_t total;

  explicit BackwardScratch(const fovea_plan& plan) {
    const int64_t tile_rows = plan.tile_queries, tile_keys = plan.tile_keys;
    using fovea::cpu::apart;
    key_row = apart(tile_keys);
    query_row = apart(spec_of(plan).head_dim);
    value_row = apart(spec_of(plan).value_head_dim);
    int64_t next = 0;
    const auto reserve = [&next](int64_t rows, int64_t row) {
      const int64_t at = next;
      next += rows * row;
      return at;
    };
    keys = reserve(tile_keys, query_row);
    // Of pairs there are half as many, but whole tiles of them.
    transposed_keys = reserve(std::max<int64_t>(16, spec_of(plan).head_dim), key_row);
    transposed_values = reserve(std::max<int64_t>(16, spec_of(plan).value_head_dim), key_row);
    queries = reserve(tile_rows, query_row);
    douts = reserve(tile_rows, value_row);
    weights = reserve(tile_rows, key_row);
    reserve(spec_of(plan).has_position_keys, 16);
    gradients = reserve(tile_rows, key_row);
    const bool pairs = fovea::cpu::is_of_pairs(plan.isa);
    const int64_t joined = pairs ? (tile_rows + 1) / 2 : 0;
    joined_queries = reserve(joined, query_row);
    joined_douts = reserve(joined, value_row);
    const bool tiles = plan.isa == FOVEA_ISA_AMX;
    pair_row = apart(joined);
    joined_weights = tiles ? reserve(tile_keys, pair_row) : reserve(joined, key_row);
    joined_gradients = tiles ? reserve(tile_keys, pair_row) : reserve(joined, key_row);
    gradient_rows = reserve(pairs ? tile_rows : 0, key_row);
    dkeys = reserve(tile_keys, query_row);
    dvalues = reserve(tile_keys, value_row);
    bias = reserve(1, key_row);
    mask = reserve(1, key_row);
    buckets = reserve(1, key_row);
    kept = reserve(1, key_row);
    gates = reserve(gate_heads(spec_of(plan)), key_row);
    output_gates = reserve(spec_of(plan).output_gates_dtype != 0, value_row);
    program = reserve(spec_of(plan).has_modifier_program,
                      modifier_floats(16, fovea::cpu::kMostTileKeys / 16));
    const bool positions = spec_of(plan).has_position_keys;
    column_row = band_score_row = band_room(spec_of(plan), tile_rows, tile_keys);
    position_queries = reserve(positions ? tile_rows : 0, query_row);
    position_columns = reserve(positions ? spec_of(plan).head_dim : 0, column_row);
    position_band = reserve(positions ? column_row : 0, query_row);
    position_scores = reserve(positions ? tile_rows : 0, band_score_row);
    total = next;
  }
};

struct BackwardWorkspace : fovea::cpu::RowWorkspace {
  int64_t row_sums[kRowOperands];  // for each chunk, of all rows
  // Doubles: drelative_table and dmodifier_table, for each chunk and sequence.
  int64_t table, modifier_table;
  int64_t gates, key_sums;  // for each head, of the keys of all sequences
  int64_t key_columns;      // of each of these, on boundaries of vectors
  int64_t distance_rows;    // of all sequences
  // For each chunk and head: dposition_keys, of rows like those of dqueries; sums of score gradients.
  int64_t positions, distance_sums;

  explicit BackwardWorkspace(const fovea_plan& plan)
      : RowWorkspace(spec_of(plan), key_chunks(spec_of(plan).key_length), plan.isa) {
    const Spec& spec = spec_of(plan);
    const auto gradients = row_gradients(spec, {});
    for (int s = 0; s < kRowOperands; ++s) {
      row_sums[s] = reserve(gradients[s].wanted ? __int128{key_chunks(spec.key_length)} * rows : 0);
    }
    table = reserve(spec.has_drelative_table
                        ? __int128{key_chunks(spec.key_length)} * spec.batch * spec.query_heads *
                              spec.relative_count * int64_t{sizeof(double) / sizeof(float)}
                        : 0);
    modifier_table = reserve(spec.has_dmodifier_table
                                 ? __int128{key_chunks(spec.key_length)} * spec.batch *
                                       spec.query_heads * spec.modifier_columns *
                                       int64_t{sizeof(double) / sizeof(float)}
                                 : 0);
    const int64_t keys = spec.packed ? spec.key_total : spec.batch * spec.key_length;
    key_columns = ((keys + 15) / 16 + spec.batch) * 16;
    gates = reserve(spec.has_dkey_gates ? __int128{key_columns} * spec.query_heads : 0);
    key_sums = reserve(spec.has_dcontent_bias ? __int128{key_columns} * spec.query_heads : 0);
    distance_rows = distances(spec).count() * spec.batch;
    // No sequence has more distances than queries and keys.
    if (spec.packed) distance_rows = std::min(distance_rows, spec.query_total + spec.key_total);
    const __int128 all = __int128{key_chunks(spec.key_length)} * spec.query_heads * distance_rows;
    positions = reserve(spec.has_dposition_keys ? all * query_row : 0);
    distance_sums = reserve(spec.has_dposition_bias ? all : 0);
  }

  // The keys of a sequence in `part`, gates or key_sums, on a boundary of vectors: sequences share none.
  int64_t keys_of(int64_t part, const Spec& spec, const fovea::cpu::Sequence& sequence,
                  int64_t batch, int64_t head) const {
    const int64_t start = spec.packed ? sequence.key_start : batch * spec.key_length;
    return part + head * key_columns + ((start + 15) / 16 + batch) * 16;
  }

  // Which row the largest distance of a sequence has; the smaller ones follow.
  int64_t first_distance(const Spec& spec, const fovea::cpu::Sequence& sequence, int64_t batch,
                         int64_t chunk, int64_t head) const {
    const int64_t count = distances(spec).count();
    const bool ragged = spec.packed && spec.query_total + spec.key_total < count * spec.batch;
    const int64_t before = ragged ? sequence.query_start + sequence.key_start : count * batch;
    return (chunk * spec.query_heads + head) * distance_rows + before;
  }

  // A chunk's row of a table.
  double* table_row(float* workspace, const Spec& spec, int64_t chunk, int64_t batch,
                    int64_t head) const {
    return row_of(workspace + table, spec, chunk, batch, head, spec.relative_count);
  }
  double* modifier_row(float* workspace, const Spec& spec, int64_t chunk, int64_t batch,
                       int64_t head) const {
    return row_of(workspace + modifier_table, spec, chunk, batch, head, spec.modifier_columns);
  }

 private:
  static double* row_of(float* table, const Spec& spec, int64_t chunk, int64_t batch, int64_t head,
                        int64_t columns) {
    return reinterpret_cast<double*>(table) +
           ((chunk * spec.batch + batch) * spec.query_heads + head) * columns;
  }
};

}  // namespace fovea::attention::cpu
