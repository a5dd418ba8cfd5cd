// How the backward pass on a CPU cuts its work and its memory: what the planner counts and
// reserves, and the kernels use.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/attention/forward_layout.h"
#include "cpu/attention/row_tiles.h"
#include "cpu/attention/sequences.h"
#include "cpu/tier.h"

namespace fovea::attention::cpu {

enum BackwardPhase {
  kRowPhase,    // of each row: its delta, and its lse in units of log2
  kKeyPhase,    // dkey, dvalue, and what each chunk of keys adds to dquery
  kQueryPhase,  // dquery, from these
  kBiasPhase,   // dbias
  kHeadPhase,   // dsinks and dalibi_slopes
  kBackwardPhases,
};

// No tile is larger.
constexpr int kMostTileRows = 96, kMostTileKeys = 256;

// The tiles of keys of a sequence are dealt out to so many items. Each of these has a dquery of its
// own, whence the limit. A function of the sequence's own length: its bits depend on nothing else.
inline int64_t key_chunks(int64_t key_length) {
  return std::min<int64_t>((key_length + 1023) / 1024, 4);
}

// What the items of each phase are. A dimension of an output that is summed over is one piece.
struct BackwardPieces {
  RowTiles row_tiles;  // for each key head
  int64_t chunks;      // of a sequence's keys
  bool batches_summed, heads_summed, queries_summed;  // of dbias
  RowTiles bias_tiles;                                // of its batches and queries
  int64_t bias_heads, bias_keys;
  int64_t bias_queries;  // in each of bias_tiles
  int64_t heads;

  static constexpr int64_t kRowTile = 512;

  explicit BackwardPieces(const fovea_plan& plan) {
    const Spec& spec = spec_of(plan);
    const Spec& gradients = spec_of(plan);
    const int64_t group = spec.query_heads / spec.key_heads;
    row_tiles = RowTiles(spec, kRowTile);
    chunks = key_chunks(spec.key_length);
    queries_summed = gradients.dbias_stride[2] == 0;
    // Packed sequences have positions of their own, unless these are summed over.
    batches_summed = spec.packed ? queries_summed : gradients.dbias_stride[0] == 0;
    heads_summed = gradients.dbias_stride[1] == 0;
    bias_heads = heads_summed ? 1 : spec.key_heads;
    // A tile of keys is packed once for a few tiles of rows.
    bias_queries = std::max<int64_t>(1, 4 * plan.tile_queries / group);
    bias_tiles = RowTiles(spec.packed && !queries_summed, batches_summed ? 1 : spec.batch,
                          queries_summed ? 1 : spec.query_length, spec.query_total, 1, bias_queries);
    bias_keys = (spec.key_length + plan.tile_keys - 1) / plan.tile_keys;
    const bool slopes_summed = gradients.has_dalibi_slopes && gradients.dalibi_slopes_stride[1] == 0;
    heads = slopes_summed ? 1 : spec.query_heads;
  }
};

// The float32 memory of one worker. Offsets and sizes in floats, each part on a 64-byte boundary.
struct BackwardScratch {
  // Of rows of keys, of head_dim and of value_head_dim elements.
  int64_t key_row, query_row, value_row;
  int64_t keys, transposed_keys, transposed_values, queries, douts;
  int64_t weights, gradients;  // P and dS of a tile
  int64_t dkeys, dvalues;
  int64_t bias, kept;  // of one row
  int64_t total;

  explicit BackwardScratch(const fovea_plan& plan) {
    const int64_t tile_rows = plan.tile_queries, tile_keys = plan.tile_keys;
    // An odd number of cache lines, so that a column of elements meets every set of the cache.
    const auto apart = [](int64_t count) { return ((count + 15) / 16 | 1) * 16; };
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
    transposed_keys = reserve(spec_of(plan).head_dim, key_row);
    transposed_values = reserve(spec_of(plan).value_head_dim, key_row);
    queries = reserve(tile_rows, query_row);
    douts = reserve(tile_rows, value_row);
    weights = reserve(tile_rows, key_row);
    gradients = reserve(tile_rows, key_row);
    dkeys = reserve(tile_keys, query_row);
    dvalues = reserve(tile_keys, value_row);
    bias = reserve(1, key_row);
    kept = reserve(1, key_row);
    total = next;
  }
};

// What the workers of one run share, in floats likewise. Rows are those of AttentionRows; the rows
// of one sequence and key head lie together.
struct BackwardWorkspace {
  int64_t rows;
  int64_t query_row;  // of a row of dqueries
  int64_t lse, rest, delta;  // log2 of a row's sum is lse + rest
  int64_t distances, dqueries;  // for each chunk, all rows
  __int128 total;

  explicit BackwardWorkspace(const fovea_plan& plan) {
    const Spec& spec = spec_of(plan);
    const int64_t lanes = fovea::cpu::kTiers[plan.isa].lanes;
    rows = (spec.packed ? spec.query_total : spec.batch * spec.query_length) * spec.query_heads;
    query_row = (spec.head_dim + lanes - 1) / lanes * lanes;
    total = 0;
    const auto reserve = [this](__int128 count) {
      const int64_t at = int64_t(total);
      total += (count + 15) / 16 * 16;
      return at;
    };
    const __int128 chunks = key_chunks(spec.key_length);
    lse = reserve(rows);
    rest = reserve(rows);
    delta = reserve(rows);
    distances = reserve(spec_of(plan).has_dalibi_slopes ? chunks * rows : 0);
    dqueries = reserve(chunks * rows * query_row);
  }

  // The first row of a sequence and key head.
  int64_t first_row(const Spec& spec, const Sequence& sequence, int64_t batch,
                    int64_t key_head) const {
    const int64_t position = spec.packed ? sequence.query_start : batch * spec.query_length;
    return position * spec.query_heads +
           key_head * (spec.query_heads / spec.key_heads) * sequence.query_length;
  }
};

}  // namespace fovea::attention::cpu
