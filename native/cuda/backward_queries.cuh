// dquery, in one of two ways: from keys and values once more, a block for each tile of query rows,
// always the same bits; or from the sums that the keys kernel has added up.
#pragma once

#include "cuda/backward_scores.cuh"

namespace fovea {

template <int kVariant>
struct BackwardQueries : BackwardScores<kVariant> {
  using Base = BackwardScores<kVariant>;
  using Base::b, Base::p, Base::mine, Base::kIt, Base::kM, Base::kKeys, Base::kRows;
  static constexpr int kColumns = Base::kDim / 8 / Base::kTile.shares;

  FOVEA_DEVICE explicit BackwardQueries(const BackwardParams& params) : Base(params) {}

  FOVEA_DEVICE void run() {
    AttentionRows rows = locate_rows<kRows>(p, p.first_item + tile::block_index());
    int32_t begin, end;
    set_visible_tiles<kKeys>(rows, p, begin, end);
    if (tile::thread_index() == 0) store_rows(this->shared_rows, rows);
    float dquery[kM][kColumns][4] = {};
    if (begin < end) {
      this->load_queries(rows);
      typename Base::Ring ring(p, rows, this->ring_base);
      ring.start(begin, end, rows.key_length);
      FOVEA_NO_UNROLL
      for (int32_t tile = end - 1; tile >= begin; --tile) {
        float dp[kM][Base::kKeyColumns][4];
        this->multiply_values(dp, ring.template next<RingItem::kValues>(tile, rows.key_length));
        const uint32_t key_tile = ring.template next<RingItem::kKeys>(tile, rows.key_length);
        this->template differentiate<true>(dp, key_tile, tile);
        multiply_weights_values<Base::kPrecision, Base::kDimBytes>(dquery, dp, key_tile,
                                                                   first_column());
      }
    } else {
      tile::sync_block();
    }
    float factor[kM][2];
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) factor[i][0] = factor[i][1] = p.scale;
    store_query_rows(b.dquery, b.gradient_dtype, b.dquery_stride, p.head_dim, dquery, factor, false,
                     p, load_rows(this->shared_rows), mine, first_column());
  }

 private:
  static FOVEA_DEVICE uint32_t first_column() { return Base::share() * kColumns; }
};

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(
    BackwardQueries<kVariant>::kThreads,
    BackwardQueries<kVariant>::kTile.blocks) void backward_queries(const BackwardParams b) {
  BackwardQueries<kVariant>(b).run();
}

// How the keys kernel keeps its sums of dquery: not row by row but piece by piece, 16 rows by 8
// columns, as the threads of a warp hold one, so that each addition of a warp is one line of 128 bytes.
template <int kVariant>
struct QuerySums {
  static constexpr int kRows = kBackwardVariants[kVariant].tile.keys.rows;
  static constexpr int kDim = kBackwardVariants[kVariant].tile.head_dim();

  // The first sum of the tile that begins at the first of `rows`.
  static FOVEA_DEVICE float* tile_of(const BackwardParams& b, const AttentionRows& rows) {
    return b.dquery_sums +
           (workspace_row(b, rows, 0, rows.first_head) + rows.first()) * int64_t{kDim};
  }
  // Of element e of a thread's part of a piece, from the first of the tile.
  static FOVEA_DEVICE uint32_t offset(uint32_t row_piece, uint32_t column_piece, int e) {
    return ((row_piece * (kDim / 8) + column_piece) * 4 + e) * tile::kWarp +
           tile::thread_index() % tile::kWarp;
  }
};

// Scales, rounds and stores the sums: a tile of the keys kernel's rows for each block.
template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kRowThreads, 1) void backward_convert(const BackwardParams b) {
  using Sums = QuerySums<kVariant>;
  const AttentionParams& p = b.forward;
  const AttentionRows rows = locate_rows<Sums::kRows>(p, p.first_item + tile::block_index());
  const float* const sums = Sums::tile_of(b, rows);
  for (uint32_t piece = tile::thread_index() / tile::kWarp; piece < Sums::kRows / 16;
       piece += kRowWarps) {
    float dquery[1][Sums::kDim / 8][4] = {};
    if (rows.count > 0) {
      FOVEA_UNROLL
      for (int j = 0; j < Sums::kDim / 8; ++j) {
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) {
          dquery[0][j][e] = tile::load_global(sums + Sums::offset(piece, j, e));
        }
      }
    }
    const float factor[1][2] = {{p.scale, p.scale}};
    store_query_rows(b.dquery, b.gradient_dtype, b.dquery_stride, p.head_dim, dquery, factor, false,
                     p, rows, ThreadRows(piece * 16), 0);
  }
}

}  // namespace fovea
