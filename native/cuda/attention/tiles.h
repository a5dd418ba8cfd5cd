// The one place that says which attention kernels exist and how each cuts its work: the planner
// picks from this table, the kernels are instantiated from it. Why these numbers: cuda/README.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "cuda/softmax/params.h"
#include "tile/precision.h"
#include "tile/rows.h"

namespace fovea::attention::cuda {

using namespace fovea::cuda;

using tile::is_half, tile::kStagedBytes, tile::Precision;

// A block of `warps` warps of `warp_rows` query rows each takes `keys` keys at a time; its ring of
// `slots` holds that many tiles of keys or values. Where the sums of a row's values are too many for
// one warp's registers, `shares` warps have the same rows and compute a share of the columns each. Where
// rows are few, `key_shares` times as many have the same rows, and a share of a tile's keys.
struct AttentionTile {
  int head_dim, value_head_dim;  // the largest it takes
  int warps, warp_rows;
  int keys, slots;
  int shares;
  int blocks;  // on a multiprocessor with registers for no more; bounds the registers of a thread
  int key_shares = 1;

  constexpr int rows() const { return warps / (shares * key_shares) * warp_rows; }
  constexpr int threads() const { return warps * 32; }
  bool operator==(const AttentionTile&) const = default;
};

// Of tiles of the same width, the first one whose blocks the device's shared memory holds is taken.
constexpr AttentionTile kHalfTiles[] = {
    {64, 64, 4, 32, 64, 3, 1, 2},   {96, 96, 4, 32, 64, 3, 1, 2},   {128, 128, 4, 32, 64, 3, 1, 2},
    {192, 128, 4, 32, 32, 2, 1, 2}, {256, 256, 4, 16, 64, 2, 1, 2}, {256, 256, 4, 16, 32, 3, 1, 2},
};
// The general kernel needs registers for its features: half the keys where rows are wide.
constexpr AttentionTile kGeneralHalfTiles[] = {
    {64, 64, 4, 16, 64, 3, 1, 3},   {96, 96, 4, 16, 32, 3, 1, 3},   {128, 128, 4, 16, 32, 3, 1, 2},
    {192, 128, 4, 16, 32, 2, 1, 2}, {256, 256, 4, 16, 32, 3, 1, 2},
};
// Exact float32 takes three products for one: 16 rows, whose registers they leave alone.
constexpr AttentionTile kTf32Tiles[] = {
    {64, 64, 4, 32, 32, 3, 1, 2},
    {128, 128, 4, 16, 32, 3, 1, 2},
    {256, 256, 8, 16, 32, 2, 2, 1},
    {256, 256, 8, 16, 16, 2, 2, 1},
};
constexpr AttentionTile kFloatTiles[] = {
    {64, 64, 4, 16, 32, 3, 1, 2},
    {128, 128, 4, 16, 32, 3, 1, 2},
    {256, 256, 8, 16, 32, 2, 2, 1},
    {256, 256, 8, 16, 16, 2, 2, 1},
};

// With keys of distances: a warp has 16 rows, of one head, and two slots do, since the band of distances takes
// the place of a third.
constexpr AttentionTile kPositionHalfTiles[] = {{64, 64, 4, 16, 64, 2, 1, 2},
                                                {128, 128, 4, 16, 32, 2, 1, 1}};
constexpr AttentionTile kPositionFloatTiles[] = {{64, 64, 4, 16, 32, 2, 1, 1},
                                                 {128, 128, 2, 16, 16, 2, 1, 1}};

// Keys and values of a cache. Other widths than these take the next one: what their tiles have too much of is not
// read, and of these kernels there are enough.
constexpr AttentionTile kCacheHalfTiles[] = {
    {64, 64, 4, 16, 64, 3, 1, 3}, {128, 128, 4, 16, 32, 3, 1, 2}, {256, 256, 4, 16, 32, 3, 1, 2}};
constexpr AttentionTile kCacheFloatTiles[] = {{64, 64, 4, 16, 32, 3, 1, 2},
                                              {128, 128, 4, 16, 16, 3, 1, 2},
                                              {256, 256, 8, 16, 32, 2, 2, 1},
                                              {256, 256, 8, 16, 16, 2, 2, 1}};

// Of few rows: a block has one tile of them, and a part of the keys, of a size that nothing changes, so that the
// bits of a row are its own. Parts of 512 keys of D 128 are 256 KiB of 16 bits. Sums of 256 columns and exact float32
// are too much for the registers of a warp.
struct PartTile {
  AttentionTile tile;
  int keys;  // of a part
};
constexpr int kFewRows = 16;  // of a tile
constexpr PartTile kPartHalfTiles[] = {{{64, 64, 4, 16, 64, 3, 1, 4, 4}, 512},
                                       {{128, 128, 4, 16, 64, 3, 1, 4, 4}, 512},
                                       {{256, 256, 4, 16, 64, 2, 1, 2, 4}, 256}};
constexpr PartTile kPartFloatTiles[] = {{{64, 64, 4, 16, 64, 3, 1, 3, 4}, 512},
                                        {{128, 128, 4, 16, 64, 2, 1, 2, 4}, 256}};
// Wider than all others, as multi-head latent attention in its absorbed form is (DeepSeek-V2, arXiv 2405.04434: a
// latent of 512 and 64 columns of positions). Rows of any number have these, a block for each tile of them: twice as
// many would leave no room for two slots of 32 keys in the 99 KiB of sm_120. Of floats there is room for one, of 16.
constexpr PartTile kWideHalfTile = {{576, 512, 4, 16, 32, 2, 2, 2, 2}, 512};
constexpr PartTile kWideFloatTile = {{576, 512, 4, 16, 16, 1, 4, 2, 1}, 256};

// Behind a tile in a slot of the ring: what elements of each key or value are multiplied by.
constexpr int scale_bytes(int keys) { return (4 * keys + 127) / 128 * 128; }

// Of a warp's scores by distance on their way from one place of a fragment to another: floats of a row, with
// some behind them for banks.
constexpr int staged_scores(int keys) { return keys + 24; }
constexpr int staged_score_bytes(int keys) { return 16 * 4 * staged_scores(keys); }

// One kernel. The general one computes every feature; the other leaves out what would cost registers
// in the loop: softcap, bias, ALiBi, dropout, weights and scales that are not positive.
struct AttentionVariant {
  Precision precision;
  AttentionTile tile;
  bool general;
  bool positions = false;  // with keys of distances and biases of queries, beside all else
  bool cached = false;     // keys and values as they lie in a cache: pages, other types, scales
  int part_keys = 0;       // in parts: keys of a block; 0: a block has all keys of its rows

  constexpr int element_bytes() const { return is_half(precision) ? 2 : 4; }
  constexpr int query_bytes() const { return tile.rows() * tile.head_dim * element_bytes(); }
  // Queries once more, for keys of distances, and a band of these.
  constexpr int band_offset() const { return 2 * query_bytes(); }
  constexpr int band_bytes() const {
    return (tile.rows() + tile.keys) * tile.head_dim * element_bytes();
  }
  constexpr int ring_offset() const {
    return positions ? band_offset() + band_bytes() : query_bytes();
  }
  constexpr int slot_bytes() const {
    const int widest = tile.head_dim > tile.value_head_dim ? tile.head_dim : tile.value_head_dim;
    return tile.keys * widest * element_bytes() + (cached ? scale_bytes(tile.keys) : 0);
  }
  // Behind the tiles lies what all threads know of the block's rows.
  constexpr int rows_offset() const { return ring_offset() + tile.slots * slot_bytes(); }
  // Of 16 bits, the scores that rows of large ones have for references: a word for each row of a warp.
  // How many tiles these see, for a second walk over them: held through the first, it made exact float32 of
  // D 128 spill 16 bytes. And which keys of a cache they see, those between them included.
  constexpr int tiles_offset() const { return rows_offset() + kAttentionRowsBytes; }
  constexpr int scores_offset() const { return tiles_offset() + 16; }
  constexpr int staged_offset() const {
    return scores_offset() + (is_half(precision) ? 4 * tile.warps * tile.warp_rows : 0);
  }
  constexpr int shared_bytes() const {
    return staged_offset() + (positions ? tile.warps * staged_score_bytes(tile.keys) : 0);
  }
  constexpr int blocks() const { return tile.blocks; }
  constexpr int head_dim() const { return tile.head_dim; }
  constexpr int value_head_dim() const { return tile.value_head_dim; }

  // Of what a warp's keys come to, on the way to its block: two floats for each row, then sums in the order of
  // fragments.
  constexpr int part_pieces() const { return tile.value_head_dim / 8; }
  constexpr int part_floats() const { return 2 * kFewRows + part_pieces() * 128; }
  constexpr int64_t parts_of(int64_t key_length) const {
    return key_length <= part_keys ? 1 : (key_length + part_keys - 1) / part_keys;
  }
  // Warps of a fold: each has pieces for four quads of a row at least, as rows leave.
  constexpr int fold_warps() const {
    return part_pieces() / 4 < tile.warps ? part_pieces() / 4 : tile.warps;
  }
};

constexpr auto kAttentionVariants = [] {
  std::array<AttentionVariant, 2 * (std::size(kHalfTiles) + std::size(kGeneralHalfTiles) +
                                    2 * std::size(kPositionHalfTiles) + std::size(kCacheHalfTiles) +
                                    std::size(kPartHalfTiles) + 1) +
                                   std::size(kTf32Tiles) + std::size(kFloatTiles) + std::size(kCacheFloatTiles) +
                                   2 * std::size(kPositionFloatTiles) + std::size(kPartFloatTiles) + 1>
      all{};
  size_t count = 0;
  for (Precision precision : {Precision::kFloat16, Precision::kBfloat16}) {
    for (const AttentionTile& tile : kHalfTiles) all[count++] = {precision, tile, false};
    for (const AttentionTile& tile : kGeneralHalfTiles) all[count++] = {precision, tile, true};
  }
  for (const AttentionTile& tile : kTf32Tiles) all[count++] = {Precision::kTf32, tile, true};
  for (const AttentionTile& tile : kFloatTiles) all[count++] = {Precision::kFloat32, tile, true};
  for (Precision precision : {Precision::kFloat16, Precision::kBfloat16}) {
    for (const AttentionTile& tile : kPositionHalfTiles)
      all[count++] = {precision, tile, true, true};
  }
  for (const AttentionTile& tile : kPositionFloatTiles) {
    all[count++] = {Precision::kFloat32, tile, true, true};
  }
  for (Precision precision : {Precision::kFloat16, Precision::kBfloat16}) {
    for (const AttentionTile& tile : kCacheHalfTiles) {
      all[count++] = {precision, tile, true, false, true};
    }
    for (const PartTile& it : kPartHalfTiles) {
      all[count++] = {precision, it.tile, true, false, true, it.keys};
    }
    all[count++] = {precision, kWideHalfTile.tile, true, false, true, kWideHalfTile.keys};
  }
  for (const AttentionTile& tile : kCacheFloatTiles) {
    all[count++] = {Precision::kFloat32, tile, true, false, true};
  }
  for (const PartTile& it : kPartFloatTiles) {
    all[count++] = {Precision::kFloat32, it.tile, true, false, true, it.keys};
  }
  all[count++] = {Precision::kFloat32, kWideFloatTile.tile, true, false, true, kWideFloatTile.keys};
  for (Precision precision : {Precision::kFloat16, Precision::kBfloat16}) {
    for (const AttentionTile& tile : kPositionHalfTiles) {
      all[count++] = {precision, tile, true, true, true};
    }
  }
  for (const AttentionTile& tile : kPositionFloatTiles) {
    all[count++] = {Precision::kFloat32, tile, true, true, true};
  }
  return all;
}();

// Whether a variant of a table has a cache's keys and values, and those of few rows; of backward passes none has.
template <typename Variant>
constexpr bool is_cached(const Variant& variant) {
  if constexpr (requires { variant.cached; }) return variant.cached;
  return false;
}
template <typename Variant>
constexpr bool has_parts(const Variant& variant) {
  if constexpr (requires { variant.part_keys; }) return variant.part_keys > 0;
  return false;
}

// One of them, for device code: it may not call the array's operator.
template <int kIndex>
constexpr AttentionVariant kAttentionVariant = kAttentionVariants[kIndex];

// Of the variants that differ from this one in tiles alone, which stand side by side, whether it is what a device
// takes: the first of which a multiprocessor holds as many blocks as registers allow, else the last. A
// multiprocessor has 1 KiB more than a block may have, and each block takes as much for itself.
template <typename Variants>
constexpr bool is_taken(const Variants& all, size_t index, int64_t shared_memory) {
  const auto alike = [&](const auto& it) {
    return it.precision == all[index].precision && it.general == all[index].general &&
           it.positions == all[index].positions && is_cached(it) == is_cached(all[index]) &&
           has_parts(it) == has_parts(all[index]) && it.head_dim() == all[index].head_dim() &&
           it.value_head_dim() == all[index].value_head_dim();
  };
  constexpr int64_t kReserved = 1024;
  const auto fits = [&](const auto& it) {
    return it.blocks() * (it.shared_bytes() + kReserved) <= shared_memory + kReserved;
  };
  for (size_t i = index; i > 0 && alike(all[i - 1]); --i) {
    if (fits(all[i - 1])) return false;
  }
  return fits(all[index]) || index + 1 == all.size() || !alike(all[index + 1]);
}

// Kernels that no device takes for which they are compiled are left out, a twentieth of the compiler's time. What
// is compiled for sm_80 runs on devices with less, and is the one PTX. Not of the host's part, nor in the simulator.
#ifdef __CUDA_ARCH__
constexpr int64_t kSharedMemory = __CUDA_ARCH__ < 890 ? 0 : __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200 ? 101376 : 232448;
#else
constexpr int64_t kSharedMemory = 0;
#endif
template <typename Variants>
constexpr bool is_compiled(const Variants& all, size_t index) {
  return kSharedMemory == 0 || is_taken(all, index, kSharedMemory);
}
template <int kIndex>
constexpr bool kIsCompiled = is_compiled(kAttentionVariants, kIndex);

// Where the variants of a precision begin in a table, those with keys of distances and those with a cache apart,
// and how many there are.
template <typename Variant>
constexpr bool is_of(const Variant& variant, Precision precision, bool positions, bool cached) {
  return variant.precision == precision && variant.positions == positions &&
         is_cached(variant) == cached;
}
template <typename Variants>
constexpr size_t first_variant(const Variants& all, Precision precision, bool positions = false,
                               bool cached = false) {
  size_t first = 0;
  while (!is_of(all[first], precision, positions, cached)) ++first;
  return first;
}
template <typename Variants>
constexpr size_t count_variants(const Variants& all, Precision precision, bool positions = false,
                                bool cached = false) {
  size_t count = 0;
  for (const auto& variant : all) count += is_of(variant, precision, positions, cached);
  return count;
}

}  // namespace fovea::attention::cuda
