// The kernels of the backward pass and how each cuts its work: the planner picks from this table, the
// kernels are instantiated from it. Why these numbers: cuda/README.md.
#pragma once

#include "cuda/attention/tiles.h"

namespace fovea::attention::cuda {

// For dkey and dvalue. A block keeps the keys and values of its tile; each of its `warps` warps has
// `warp_keys` of them, and `shares` warps have the same ones and compute a share of the columns each.
// Query rows come `rows` at a time, in `stages` buffers.
struct KeysTile {
  int warps, warp_keys;
  int rows, stages;
  int shares;
  int blocks;  // on a multiprocessor with registers for no more; bounds the registers of a thread

  constexpr int keys() const { return warps / shares * warp_keys; }
  constexpr int threads() const { return warps * 32; }
};

// For all else: query rows stay, tiles of keys and values come, as in the forward.
struct BackwardTile {
  KeysTile keys;
  AttentionTile queries;

  constexpr int head_dim() const { return queries.head_dim; }
  constexpr int value_head_dim() const { return queries.value_head_dim; }
};

// Chosen as in kHalfTiles, by the shared memory of the keys kernel.
constexpr BackwardTile kHalfBackwardTiles[] = {
    {{4, 32, 32, 2, 1, 2}, {64, 64, 4, 32, 64, 3, 1, 2}},
    {{8, 16, 64, 2, 1, 1}, {128, 128, 4, 16, 64, 3, 1, 2}},
    {{8, 16, 32, 1, 1, 1}, {128, 128, 4, 16, 64, 3, 1, 2}},
    {{8, 16, 32, 2, 2, 1}, {256, 256, 4, 16, 32, 2, 1, 1}},
    {{8, 16, 16, 1, 2, 1}, {256, 256, 4, 16, 32, 2, 1, 1}},
};
// The general kernels need registers for their features.
constexpr BackwardTile kGeneralHalfBackwardTiles[] = {
    {{4, 16, 32, 2, 1, 2}, {64, 64, 4, 16, 32, 3, 1, 2}},
    {{4, 16, 32, 1, 1, 2}, {128, 128, 4, 16, 32, 3, 1, 2}},
    {{8, 16, 16, 1, 2, 1}, {256, 256, 4, 16, 32, 2, 1, 1}},
};
constexpr BackwardTile kFloatBackwardTiles[] = {
    {{4, 16, 16, 2, 1, 2}, {64, 64, 4, 16, 32, 3, 1, 2}},
    {{8, 16, 16, 1, 2, 1}, {128, 128, 8, 16, 16, 2, 2, 1}},
    {{8, 16, 16, 1, 4, 1}, {256, 256, 8, 16, 16, 2, 4, 1}},
};

// With keys of distances. Their own kernels have the tiles of `queries`; `keys` says how these are counted.
constexpr BackwardTile kPositionHalfBackwardTiles[] = {
    {{2, 16, 64, 1, 1, 1}, {64, 64, 4, 16, 32, 2, 1, 1}},
    {{2, 16, 32, 1, 1, 1}, {128, 128, 2, 16, 32, 2, 1, 1}},
};
constexpr BackwardTile kPositionFloatBackwardTiles[] = {
    {{2, 16, 32, 1, 1, 1}, {64, 64, 2, 16, 32, 2, 1, 1}},
    {{1, 16, 32, 1, 1, 1}, {128, 128, 2, 16, 16, 2, 1, 1}},
};

// Of a block of the kernels that go by rows alone.
constexpr int kRowThreads = 128;

// Of the first row of a sequence in the workspace.
constexpr int kRowAlignment = 4;

// Launches, in this order; those without work are left out.
enum BackwardPhase {
  kRowsPhase,
  kKeysPhase,
  kQueriesPhase,
  kBiasPhase,
  kRowOperandsPhase,
  kSinksPhase,
  kBackwardPhases
};

// What a block of the keys kernel knows of each query row of a stage, one word each.
// The norm is for float16 alone.
enum RowFact { kFactLse, kFactDelta, kFactPosition, kFactHead, kFactSlope, kRowFacts, kFactNorm = kRowFacts };

// What a block keeps of its sequence and key head: where the first query row lies in query, in dout and in
// the workspace, its own first key, and of float16 the largest 2-norm of its values; 64 bits each.
enum KeysFact { kQueryBase, kDoutBase, kWorkspaceBase, kFirstKey, kValueNorm, kKeysFacts };

// Kernels of one precision and width, as in AttentionVariant. float32 is always exact.
struct BackwardVariant {
  Precision precision;
  BackwardTile tile;
  bool general;
  bool positions = false;

  constexpr int blocks() const { return tile.keys.blocks; }
  constexpr int head_dim() const { return tile.head_dim(); }
  constexpr int value_head_dim() const { return tile.value_head_dim(); }
  constexpr int element_bytes() const { return is_half(precision) ? 2 : 4; }
  constexpr int row_bytes() const {
    return (tile.head_dim() + tile.value_head_dim()) * element_bytes();
  }
  // Rows that the workspace keeps for each sequence and head beyond those it has.
  constexpr int padding() const {
    return tile.keys.rows > tile.queries.rows() ? tile.keys.rows : tile.queries.rows();
  }

  // Columns of drelative_table that one block of the kernel of row operands sums, a thread for each.
  constexpr int table_columns() const {
    return tile.queries.threads() < 128 ? tile.queries.threads() : 128;
  }

  // The keys kernel: keys and values, the stages, the tile of score gradients, facts of rows.
  constexpr int stage_bytes() const { return tile.keys.rows * row_bytes(); }
  constexpr int stages_offset() const { return tile.keys.keys() * row_bytes(); }
  constexpr int gradients_offset() const {
    return stages_offset() + tile.keys.stages * stage_bytes();
  }
  // Of a key's row of score gradients; the swizzle needs 64.
  constexpr int gradient_row_bytes() const {
    const int bytes = tile.keys.rows * element_bytes();
    return bytes > 64 ? bytes : 64;
  }
  constexpr int facts_offset() const {
    return gradients_offset() + tile.keys.keys() * gradient_row_bytes();
  }
  constexpr int facts_bytes() const {
    return tile.keys.rows * (kRowFacts + (precision == Precision::kFloat16)) * 4;
  }
  constexpr int keys_rows_offset() const {
    return facts_offset() + tile.keys.stages * facts_bytes();
  }
  constexpr int keys_facts_offset() const { return keys_rows_offset() + kAttentionRowsBytes; }
  constexpr int keys_shared_bytes() const { return keys_facts_offset() + kKeysFacts * 8; }

  // The others: query and dout, with keys of distances query once more and a band of these, the ring.
  constexpr int position_queries_offset() const { return tile.queries.rows() * row_bytes(); }
  constexpr int band_offset() const {
    return position_queries_offset() + tile.queries.rows() * tile.head_dim() * element_bytes();
  }
  constexpr int ring_offset() const {
    if (!positions) return position_queries_offset();
    return band_offset() +
           (tile.queries.rows() + tile.queries.keys) * tile.head_dim() * element_bytes();
  }
  constexpr int slot_bytes() const {
    const int widest =
        tile.head_dim() > tile.value_head_dim() ? tile.head_dim() : tile.value_head_dim();
    return tile.queries.keys * widest * element_bytes();
  }
  constexpr int queries_rows_offset() const {
    return ring_offset() + tile.queries.slots * slot_bytes();
  }
  constexpr int staged_offset() const { return queries_rows_offset() + kAttentionRowsBytes; }
  constexpr int queries_shared_bytes() const {
    return staged_offset() +
           (positions ? tile.queries.warps * staged_score_bytes(tile.queries.keys) : 0);
  }

  // The kernels of positions: weights and score gradients of a tile by keys, or these by distances; and a word
  // for each warp.
  constexpr int distances() const { return 16 * tile.queries.warps; }
  constexpr int stored_row_bytes(int columns) const {
    const int bytes = columns * element_bytes();
    return bytes > 64 ? bytes : 64;
  }
  constexpr int stored_offset() const { return (queries_shared_bytes() + 127) / 128 * 128; }
  constexpr int stored_bytes() const {
    return tile.queries.rows() * stored_row_bytes(tile.queries.keys);
  }
  constexpr int words_offset() const {
    const int by_distance = tile.queries.rows() * stored_row_bytes(distances());
    return stored_offset() + (by_distance > 2 * stored_bytes() ? by_distance : 2 * stored_bytes());
  }
  constexpr int positions_shared_bytes() const { return words_offset() + 4 * tile.queries.warps; }
  // Of the kernel that decides which variant a device takes.
  constexpr int shared_bytes() const {
    return positions ? positions_shared_bytes() : keys_shared_bytes();
  }
};

constexpr auto kBackwardVariants = [] {
  std::array<BackwardVariant,
             2 * (std::size(kHalfBackwardTiles) + std::size(kGeneralHalfBackwardTiles) +
                  std::size(kPositionHalfBackwardTiles)) +
                 std::size(kFloatBackwardTiles) + std::size(kPositionFloatBackwardTiles)>
      all{};
  size_t count = 0;
  for (Precision precision : {Precision::kFloat16, Precision::kBfloat16}) {
    for (const BackwardTile& tile : kHalfBackwardTiles) all[count++] = {precision, tile, false};
    for (const BackwardTile& tile : kGeneralHalfBackwardTiles) {
      all[count++] = {precision, tile, true};
    }
  }
  for (const BackwardTile& tile : kFloatBackwardTiles) {
    all[count++] = {Precision::kFloat32, tile, true};
  }
  for (Precision precision : {Precision::kFloat16, Precision::kBfloat16}) {
    for (const BackwardTile& tile : kPositionHalfBackwardTiles) {
      all[count++] = {precision, tile, true, true};
    }
  }
  for (const BackwardTile& tile : kPositionFloatBackwardTiles) {
    all[count++] = {Precision::kFloat32, tile, true, true};
  }
  return all;
}();

template <int kIndex>
constexpr BackwardVariant kBackwardVariant = kBackwardVariants[kIndex];
template <int kIndex>
constexpr bool kIsBackwardCompiled = is_compiled(kBackwardVariants, kIndex);

// The first variant that differs from another one in the keys tile alone: they share all kernels that do
// not take it.
constexpr int first_with_queries(int index) {
  const BackwardVariant& it = kBackwardVariants[index];
  while (index > 0 && kBackwardVariants[index - 1].precision == it.precision &&
         kBackwardVariants[index - 1].general == it.general &&
         kBackwardVariants[index - 1].positions == it.positions &&
         kBackwardVariants[index - 1].tile.queries == it.tile.queries) {
    --index;
  }
  return index;
}

}  // namespace fovea::attention::cuda
