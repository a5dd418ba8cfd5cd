// Which kernels of warpgroups exist, for sm_90a, and how each cuts its work: the planner picks from this table,
// the kernels are instantiated from it. Why these numbers: cuda/README.md.
#pragma once

#include <array>
#include <cstddef>
#include <iterator>

#include "cuda/attention/backward_tiles.h"

namespace fovea::attention::cuda {

// A block has `consumers` warpgroups of 64 query rows each, and one more, whose first thread asks the copy engine for
// queries, and for tiles of `keys` keys and values in two rings of `stages`. It is alone on its multiprocessor, and its
// warpgroups share out the registers. Where there is no room else, rows of out take the place of the queries. Of these the
// first `held` times 32 bytes of columns are in registers, so that products do not read them anew.
struct WarpgroupTile {
  int head_dim, value_head_dim;  // the largest it takes
  int consumers, keys, stages;
  int producer_registers, consumer_registers;  // of a thread
  int held;
  bool out_over_queries = false;

  constexpr int rows() const { return consumers * 64; }
  constexpr int threads() const { return (consumers + 1) * 128; }
};

constexpr WarpgroupTile kWarpgroupTiles[] = {
    {64, 64, 2, 192, 2, 24, 240, 4},          {96, 96, 2, 128, 2, 24, 240, 6},
    {128, 128, 2, 128, 2, 24, 240, 8},        {192, 128, 2, 128, 2, 24, 240, 12, true},
    {192, 192, 2, 112, 2, 24, 240, 8, true},  {256, 256, 2, 80, 2, 24, 240, 6, true},
};

// Of e4m3, with sums in two levels. A tile of values is transposed: its keys fill a piece.
constexpr int kTransposedKeys = 128;
constexpr WarpgroupTile kWarpgroupFloat8Tiles[] = {{64, 64, 2, kTransposedKeys, 2, 24, 240, 2},
                                                   {128, 128, 2, kTransposedKeys, 2, 24, 240, 0}};

// One kernel.
struct WarpgroupVariant {
  Precision precision;
  WarpgroupTile tile;

  // In shared memory tiles lie as boxes of the copy engine: pieces of 128 bytes of columns, one behind the other.
  static constexpr int kPieceBytes = 128;
  constexpr int element_bytes() const { return precision == Precision::kFloat8 ? 1 : 2; }
  constexpr int piece_columns() const { return kPieceBytes / element_bytes(); }
  constexpr int pieces(int width) const { return (width + piece_columns() - 1) / piece_columns(); }
  constexpr bool has_transposed_values() const { return precision == Precision::kFloat8; }
  constexpr int query_bytes() const { return tile.rows() * pieces(tile.head_dim) * kPieceBytes; }
  constexpr int key_bytes() const { return tile.keys * pieces(tile.head_dim) * kPieceBytes; }
  constexpr int value_bytes() const {
    return has_transposed_values() ? tile.value_head_dim * kPieceBytes
                                   : tile.keys * pieces(tile.value_head_dim) * kPieceBytes;
  }

  constexpr int warps() const { return 4 * tile.consumers; }  // that consume
  constexpr int keys_offset() const { return query_bytes(); }
  constexpr int values_offset() const { return keys_offset() + tile.stages * key_bytes(); }
  // Of each warp, rows of out on their way, and what it knows of its block's rows.
  constexpr int values_end() const { return values_offset() + tile.stages * value_bytes(); }
  constexpr int staged_offset() const { return tile.out_over_queries ? 0 : values_end(); }
  constexpr int rows_offset() const {
    return values_end() + (tile.out_over_queries ? 0 : warps() * kStagedBytes);
  }
  // The scores that rows of large ones have for references.
  constexpr int scores_offset() const { return rows_offset() + warps() * kAttentionRowsBytes; }
  constexpr int barriers_offset() const { return scores_offset() + 4 * tile.rows(); }
  constexpr int shared_bytes() const { return barriers_offset() + 8 * (2 + 4 * tile.stages); }
};

// Every tile for float16, then every tile for bfloat16, and room behind them.
template <class Variant, size_t kMore = 0, class Tile, size_t kCount>
constexpr std::array<Variant, 2 * kCount + kMore> in_half_precisions(const Tile (&tiles)[kCount]) {
  std::array<Variant, 2 * kCount + kMore> all{};
  size_t count = 0;
  for (Precision precision : {Precision::kFloat16, Precision::kBfloat16}) {
    for (const Tile& tile : tiles) all[count++] = {precision, tile};
  }
  return all;
}

constexpr auto kWarpgroupVariants = [] {
  constexpr size_t kFloat8s = std::size(kWarpgroupFloat8Tiles);
  auto all = in_half_precisions<WarpgroupVariant, kFloat8s>(kWarpgroupTiles);
  for (size_t i = 0; i < kFloat8s; ++i) {
    all[all.size() - kFloat8s + i] = {Precision::kFloat8, kWarpgroupFloat8Tiles[i]};
  }
  return all;
}();

// How many there are of a precision, and the first.
constexpr size_t warpgroup_tiles(Precision precision) {
  return precision == Precision::kFloat8 ? std::size(kWarpgroupFloat8Tiles) : std::size(kWarpgroupTiles);
}
constexpr size_t first_warpgroup_variant(Precision precision) {
  size_t first = 0;
  while (kWarpgroupVariants[first].precision != precision) ++first;
  return first;
}

// One of them, for device code: it may not call the array's operator.
template <int kIndex>
constexpr WarpgroupVariant kWarpgroupVariant = kWarpgroupVariants[kIndex];

// For dkey and dvalue, and sums of dquery: a block keeps 64 keys and values for each of two warpgroups; `rows` query rows
// come at a time, in rings of `stages`. As above, of keys and of values columns are in registers.
struct WarpgroupKeysTile {
  int head_dim;  // and of values, the largest it takes
  int rows, stages;
  int producer_registers, consumer_registers;
  int held_keys, held_values;

  static constexpr int kConsumers = 2, kKeys = 64 * kConsumers;
  constexpr int threads() const { return (kConsumers + 1) * 128; }
};

// Of the widths of kHalfBackwardTiles, whose other kernels a backward pass has too.
constexpr WarpgroupKeysTile kWarpgroupKeysTiles[] = {{64, 64, 2, 24, 240, 4, 4}, {128, 64, 2, 24, 240, 1, 0}};

struct WarpgroupKeysVariant {
  Precision precision;
  WarpgroupKeysTile tile;

  static constexpr int kPieceBytes = WarpgroupVariant::kPieceBytes;
  constexpr int pieces() const { return (tile.head_dim + 63) / 64; }
  constexpr int key_bytes() const { return tile.kKeys * pieces() * kPieceBytes; }  // of keys, or values
  constexpr int row_bytes() const { return tile.rows * pieces() * kPieceBytes; }   // of queries, or dout
  constexpr int gradient_bytes() const { return tile.kKeys * tile.rows * 2; }
  constexpr int warps() const { return 4 * tile.kConsumers; }  // that consume

  constexpr int values_offset() const { return key_bytes(); }
  constexpr int queries_offset() const { return values_offset() + key_bytes(); }
  constexpr int douts_offset() const { return queries_offset() + tile.stages * row_bytes(); }
  // Two tiles of score gradients: one is multiplied while the next is written.
  constexpr int gradients_offset() const { return douts_offset() + tile.stages * row_bytes(); }
  // Of each warp, sums of dquery on their way, or rows of dkey and dvalue; and what it knows of its block's rows.
  constexpr int staged_offset() const { return gradients_offset() + 2 * gradient_bytes(); }
  constexpr int facts_offset() const { return staged_offset() + warps() * kStagedBytes; }
  constexpr int facts_bytes() const { return (kFactNorm + 1) * 4 * tile.rows; }
  constexpr int rows_offset() const { return facts_offset() + tile.stages * facts_bytes(); }
  constexpr int norms_offset() const { return rows_offset() + warps() * kAttentionRowsBytes; }
  constexpr int barriers_offset() const { return norms_offset() + 4 * warps(); }
  constexpr int shared_bytes() const { return barriers_offset() + 8 * (1 + 3 * tile.stages); }
};

constexpr auto kWarpgroupKeysVariants = in_half_precisions<WarpgroupKeysVariant>(kWarpgroupKeysTiles);

template <int kIndex>
constexpr WarpgroupKeysVariant kWarpgroupKeysVariant = kWarpgroupKeysVariants[kIndex];

constexpr int kWarpgroupCapability = 90;  // sm_90a, and no other

// What a multiprocessor of it has.
constexpr int kWarpgroupShared = 232448, kWarpgroupRegisters = 65536;

constexpr bool fits(const WarpgroupVariant& it) {
  const WarpgroupTile& tile = it.tile;
  if (it.shared_bytes() > kWarpgroupShared) return false;
  if (tile.out_over_queries && it.warps() * kStagedBytes > it.query_bytes()) return false;
  if (128 * (tile.producer_registers + tile.consumers * tile.consumer_registers) > kWarpgroupRegisters) return false;
  if (it.has_transposed_values() && tile.keys != kTransposedKeys) return false;
  // Sums, of one or two levels, scores and weights of a consumer are what it cannot do without.
  const int sums = tile.value_head_dim / 2 * (it.has_transposed_values() ? 2 : 1);
  return sums + 4 * tile.held + tile.keys / 2 + tile.keys * it.element_bytes() / 8 <= tile.consumer_registers;
}

constexpr bool fits(const WarpgroupKeysVariant& it) {
  const WarpgroupKeysTile& tile = it.tile;
  if (it.shared_bytes() > kWarpgroupShared) return false;
  if (128 * (tile.producer_registers + tile.kConsumers * tile.consumer_registers) > kWarpgroupRegisters) return false;
  // Sums of dkey and dvalue, scores and their gradients.
  return tile.head_dim + tile.rows + 4 * (tile.held_keys + tile.held_values) <= tile.consumer_registers;
}

static_assert([] {
  for (const WarpgroupVariant& it : kWarpgroupVariants) {
    if (!fits(it)) return false;
  }
  for (const WarpgroupKeysVariant& it : kWarpgroupKeysVariants) {
    if (!fits(it)) return false;
  }
  return true;
}());

}  // namespace fovea::attention::cuda
