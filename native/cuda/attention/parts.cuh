// Few rows with many keys, or tiles of rows that are wide: a block has a part of the keys, its warps shares of each
// tile of them. What a share comes to is a reference, a sum and weighted sums for each row, which warps fold to those
// of the part, and a second kernel to those of the row: in the order of keys, from parts that begin at multiples of a
// fixed number of them.
#pragma once

#include "cuda/attention/gates.cuh"
#include "cuda/attention/output.cuh"
#include "tile/softmax.cuh"

namespace fovea::attention::cuda {

// A tile of rows, and in the first phase the part of the keys that the block has: tiles that share a part are
// neighbours, so that L2 has it for all of them.
struct PartItem {
  uint32_t batch, key_head, row_tile;
  int32_t part;

  FOVEA_DEVICE explicit PartItem(const AttentionParams& p) {
    const AttentionItem at = locate_item(p);
    const uint32_t tiles = uint32_t(p.row_tiles);
    batch = at.batch;
    key_head = at.key_head;
    part = int32_t(at.tile / tiles);
    row_tile = at.tile - uint32_t(part) * tiles;
  }

  FOVEA_DEVICE AttentionRows locate(const AttentionParams& p) const {
    AttentionRows rows = locate_pair<true>(p, batch, key_head);
    set_rows(rows, row_tile, kFewRows);
    return rows;
  }
};

// Of visible tiles those of a part, which has kTiles of all.
template <int kTiles>
FOVEA_DEVICE int32_t restrict_to_part(AttentionRows& rows, int32_t tiles, int32_t part) {
  const int32_t first = part * kTiles, last = rows.begin + tiles;
  const int32_t begin = rows.begin < first ? first : rows.begin;
  const int32_t end = last < first + kTiles ? last : first + kTiles;
  rows.full_begin -= begin - rows.begin;
  rows.full_end -= begin - rows.begin;
  rows.begin = begin;
  return end > begin ? end - begin : 0;
}

template <AttentionVariant kIt>
struct PartShape {
  static constexpr int kFoldWarps = kIt.fold_warps();
  static constexpr int kFoldPieces = kIt.part_pieces() / kFoldWarps;  // of a warp of the fold
  static constexpr int kWarpPieces = kIt.part_pieces() / kIt.tile.warps;
};

// Where the sums of shares of keys lie, each as two floats for each row, its reference and the sum of its weights, and
// then pairs of columns as a warp's threads hold them. Of a row whose sum is 0 there are no columns.
template <AttentionVariant kIt>
struct SharedSums {
  static constexpr uint32_t kBytes = kIt.part_floats() * 4;
  static_assert(kIt.tile.key_shares * kBytes <= uint32_t(kIt.tile.slots * kIt.slot_bytes()));
  uint32_t address;

  // Columns of a share from a piece of eight on.
  template <int kColumns, typename Softmax>
  FOVEA_DEVICE void put(uint32_t share, uint32_t first_piece, const tile::Fragment<1, kColumns>& out,
                        const Softmax& softmax, int32_t rows) const {
    const uint32_t lane = tile::thread_index() % tile::kWarp;
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const bool present = int32_t(lane / 4) + 8 * h < rows;
      if (first_piece == 0 && lane % 4 == 0) {
        tile::store_shared_pair(row(share, h), tile::as_bits(softmax.reference[0][h]),
                                tile::as_bits(present ? softmax.sum[0][h] : 0.0f));
      }
      FOVEA_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        tile::store_shared_pair(columns(share, first_piece + j, h), tile::as_bits(out[0][j][2 * h]),
                                tile::as_bits(out[0][j][2 * h + 1]));
      }
    }
  }

  FOVEA_DEVICE void load_row(int32_t share, int h, uint32_t& reference, uint32_t& sum) const {
    tile::load_shared_pair(row(uint32_t(share), h), reference, sum);
  }
  FOVEA_DEVICE void load_columns(int32_t share, uint32_t piece, int h, uint32_t& x, uint32_t& y) const {
    tile::load_shared_pair(columns(uint32_t(share), piece, h), x, y);
  }

 private:
  FOVEA_DEVICE uint32_t row(uint32_t share, int h) const {
    return address + share * kBytes + (tile::thread_index() % tile::kWarp / 4 + 8 * uint32_t(h)) * 8;
  }
  FOVEA_DEVICE uint32_t columns(uint32_t share, uint32_t piece, int h) const {
    return address + share * kBytes + 8 * kFewRows +
           ((2 * piece + uint32_t(h)) * tile::kWarp + tile::thread_index() % tile::kWarp) * 8;
  }
};

// Those of the parts of a tile of rows in global memory, for rows that there may be and none else.
template <AttentionVariant kIt>
struct GlobalSums {
  static constexpr int kWidth = kIt.tile.value_head_dim;
  int64_t floats;  // of a part
  float* first;
  int32_t rows;

  FOVEA_DEVICE GlobalSums(const AttentionParams& p, const PartItem& at)
      : rows(p.row_tiles > 1 ? kFewRows : p.query_length * int32_t(p.group.value)) {
    floats = rows * (2 + kWidth);
    const int64_t tile = (int64_t{at.batch} * p.key_heads + at.key_head) * p.row_tiles + at.row_tile;
    first = p.parts + tile * p.part_count * floats;
  }

  template <int kColumns, typename Softmax>
  FOVEA_DEVICE void put(int32_t part, uint32_t first_piece, const tile::Fragment<1, kColumns>& out,
                        const Softmax& softmax) const {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      if (row(h) >= rows) continue;
      if (first_piece == 0 && tile::thread_index() % 4 == 0) {
        tile::store_pair(sums(part, h), tile::as_bits(softmax.reference[0][h]),
                         tile::as_bits(softmax.sum[0][h]));
      }
      if (softmax.sum[0][h] == 0) continue;
      FOVEA_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        tile::store_pair(columns(part, first_piece + j, h), tile::as_bits(out[0][j][2 * h]),
                         tile::as_bits(out[0][j][2 * h + 1]));
      }
    }
  }

  FOVEA_DEVICE void load_row(int32_t part, int h, uint32_t& reference, uint32_t& sum) const {
    reference = sum = 0;
    if (row(h) < rows) tile::load_pair(sums(part, h), reference, sum);
  }
  FOVEA_DEVICE void load_columns(int32_t part, uint32_t piece, int h, uint32_t& x, uint32_t& y) const {
    tile::load_pair(columns(part, piece, h), x, y);
  }

 private:
  static FOVEA_DEVICE int32_t row(int h) {
    return int32_t(tile::thread_index() % tile::kWarp / 4) + 8 * h;
  }
  FOVEA_DEVICE float* sums(int32_t part, int h) const { return first + part * floats + 2 * row(h); }
  FOVEA_DEVICE float* columns(int32_t part, uint32_t piece, int h) const {
    return first + part * floats + 2 * rows + row(h) * kWidth + 8 * piece +
           tile::thread_index() % 4 * 2;
  }
};

// Folds `count` of them, for pieces of eight columns from `first_piece` on. Of one alone it changes no bit.
template <typename Softmax, typename Sums, int kPieces>
FOVEA_DEVICE Softmax fold(const Sums& sums, int32_t count, float scale, uint32_t first_piece,
                          tile::Fragment<1, kPieces>& out) {
  Softmax all;
  all.start();
  tile::change(out, [](float) { return 0.0f; });
  FOVEA_NO_UNROLL
  for (int32_t i = 0; i < count; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      uint32_t reference, sum;
      sums.load_row(i, h, reference, sum);
      float& most = all.reference[0][h];
      if (tile::as_float(sum) != 0) most = tile::maximum(most, tile::as_float(reference));
    }
  }
  FOVEA_NO_UNROLL
  for (int32_t i = 0; i < count; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      uint32_t reference, sum;
      sums.load_row(i, h, reference, sum);
      if (tile::as_float(sum) == 0) continue;
      const float below = tile::as_float(reference) - all.reference[0][h];
      const float weight = tile::as_float(reference) == all.reference[0][h]
                               ? 1.0f
                               : tile::exp2_approx(below * scale);
      all.sum[0][h] = tile::fused_multiply_add(weight, tile::as_float(sum), all.sum[0][h]);
      FOVEA_UNROLL
      for (int j = 0; j < kPieces; ++j) {
        uint32_t x, y;
        sums.load_columns(i, first_piece + j, h, x, y);
        out[0][j][2 * h] = tile::fused_multiply_add(weight, tile::as_float(x), out[0][j][2 * h]);
        out[0][j][2 * h + 1] =
            tile::fused_multiply_add(weight, tile::as_float(y), out[0][j][2 * h + 1]);
      }
    }
  }
  return all;
}

// What the caller gets of rows whose keys have all been seen. `stage` is shared memory of the warp's own.
template <int kPieces, typename Softmax>
FOVEA_DEVICE void store_folded(const tile::Fragment<1, kPieces>& out, const Softmax& softmax,
                               int first_piece, uint32_t stage, const AttentionParams& p,
                               const AttentionRows& rows) {
  const ThreadRows mine(0);
  const RowResults<1> results(softmax, 1.0f, p, rows, mine);
  store_gated_rows(out, results, first_piece, stage, p, rows, 0);
  if (first_piece == 0) store_lse(results, p, rows, mine);
}

struct NoSlots {};

// The second phase: a block for each tile of rows.
template <AttentionVariant kIt>
FOVEA_DEVICE void fold_parts(const AttentionParams& p) {
  using Softmax = tile::Softmax<1, kIt.precision, true, NoSlots>;
  constexpr int kPieces = PartShape<kIt>::kFoldPieces;
  const PartItem at(p);
  const AttentionRows rows = at.locate(p);
  const uint32_t warp = tile::thread_index() / tile::kWarp;
  const int32_t count = (rows.key_length + kIt.part_keys - 1) / kIt.part_keys;
  tile::Fragment<1, kPieces> out;
  const Softmax folded =
      fold<Softmax>(GlobalSums<kIt>(p, at), count, p.softmax_scale, warp * kPieces, out);
  store_folded(out, folded, int(warp * kPieces), tile::shared_base() + warp * kStagedBytes, p, rows);
}

}  // namespace fovea::attention::cuda
