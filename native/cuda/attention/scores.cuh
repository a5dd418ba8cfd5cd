// Scores in the orientation of the forward: columns of a fragment are keys.
#pragma once

#include "core/philox.h"
#include "cuda/attention/score_modifier.cuh"
#include "tile/convert.cuh"
#include "tile/softmax.cuh"

namespace fovea::attention::cuda {

// The rows of a thread: 16 i + 8 h + lane / 4 after the first of its warp, `warp_row`.
struct ThreadRows {
  uint32_t first;  // row of the block

  FOVEA_DEVICE explicit ThreadRows(uint32_t warp_row)
      : first(warp_row + tile::thread_index() % tile::kWarp / 4) {}
  FOVEA_DEVICE uint32_t row(int i, int h) const { return first + 16 * i + 8 * h; }

  // The same for one round of a loop. Positions, heads and offsets of up to four rows would take
  // twenty registers through the products, which have none to spare.
  FOVEA_DEVICE ThreadRows anew() const { return ThreadRows(*this, tile::opaque(first)); }

 private:
  FOVEA_DEVICE ThreadRows(const ThreadRows&, uint32_t row) : first(row) {}
};

// Where the scores of a thread lie that has some keys of its rows, as in the forward: for the modifiers
// and the mask, to which it is alike how a fragment is turned. A key is first_key() plus a constant, so
// that an element compares with a constant and takes no address of its own.
struct RowPlaces {
  const AttentionParams& p;
  uint32_t shared_rows;
  ThreadRows mine;
  int32_t tile_key;  // the first of the tile

  FOVEA_DEVICE AttentionRows rows() const { return load_rows(shared_rows); }
  // Anew: held through the products, it made float32 of D 128 spill 52 bytes on sm_120.
  FOVEA_DEVICE int32_t first_key() const {
    return tile_key + int32_t(tile::thread_anew() % 4 * 2);
  }

  // Of the first of the tile's keys, alike in all lanes.
  FOVEA_DEVICE int32_t warp_key() const { return tile_key; }

  // The row of the warp whose index is the lane.
  template <int kM, int kColumns>
  FOVEA_DEVICE PlacedRow row_of_lane(const AttentionRows& rows) const {
    const uint32_t lane = tile::thread_anew() % tile::kWarp;
    const uint32_t row = mine.anew().row(0, 0) - lane / 4 + lane;
    return {lane, lane < 16 * kM && int32_t(row) < rows.count, rows.position(row), rows.head(row), 0};
  }

  // body(row, keys) for each of its rows; keys(visit) calls visit(i, j, e, key - first_key()).
  template <RowNeed kNeed, int kM, int kColumns, typename Body>
  FOVEA_DEVICE void each_row(const AttentionRows& rows, Body body) const {
    const ThreadRows again = mine.anew();
    tile::each_row<kM>([&](int i, int h) {
      const uint32_t row = again.row(i, h);
      const uint32_t index = 16 * i + 8 * h + tile::thread_index() % tile::kWarp / 4;
      PlacedRow placed{index, int32_t(row) < rows.count, rows.position(row), 0, 0};
      if constexpr (kNeed != RowNeed::kPosition) placed.head = rows.head(row);
      if constexpr (kNeed == RowNeed::kSlope) {
        placed.slope = load_slope(p, rows.batch, placed.head);
      }
      body(placed, [&](auto visit) {
        FOVEA_UNROLL
        for (int j = 0; j < kColumns; ++j) {
          FOVEA_UNROLL
          for (int e = 2 * h; e < 2 * h + 2; ++e) visit(i, j, e, 8 * j + e % 2);
        }
      });
    });
  }
};

// Zeroes the weights that dropout drops. One draw of Philox serves the eight keys that a thread holds
// of 32, see fovea_run_attention.
template <int kM, int kColumns>
FOVEA_DEVICE void drop_weights(tile::Fragment<kM, kColumns>& s, const AttentionParams& p,
                               const AttentionRows& rows, const ThreadRows& mine,
                               int32_t first_key) {
  constexpr int kDraws = kColumns < 4 ? kColumns : 4;  // pieces of 8 keys that share a draw
  // Anew: held through the products, it made float32 of D 64 spill 24 bytes on sm_120.
  const uint32_t lane = tile::thread_anew() % 4;
  const uint32_t word = uint32_t(first_key) / 8 % 4;  // not 0 only where a tile has 16 keys
  tile::each_row<kM>([&](int i, int h) {
    const uint32_t row = mine.row(i, h);
    const uint32_t head = uint32_t(rows.batch) * p.query_heads + rows.head(row);
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; j += kDraws) {
      uint32_t draw[4][1] = {{(uint32_t(first_key) + 8 * j) / 32 * 4 + lane},
                             {uint32_t(rows.position(row))},
                             {head},
                             {p.dropout_offset}};
      philox4x32_10(draw, p.dropout_seed);
      FOVEA_UNROLL
      for (int d = 0; d < kDraws; ++d) {
        const uint32_t bits = kDraws == 4 || word == 0 ? draw[d][0] : draw[d + 4 - kDraws][0];
        if ((bits & 0xffff) < p.dropout_threshold) s[i][j + d][2 * h] = 0;
        if ((bits >> 16) < p.dropout_threshold) s[i][j + d][2 * h + 1] = 0;
      }
    }
  });
}

}  // namespace fovea::attention::cuda
