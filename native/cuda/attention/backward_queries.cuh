// dquery, in one of two ways: from keys and values once more, a block for each tile of query rows,
// always the same bits; or from the sums that the keys kernel has added up.
#pragma once

#include "cuda/attention/backward_scores.cuh"
#include "tile/grid.cuh"

namespace fovea::attention::cuda {

// Scales, rounds and stores a warp's sums for 16 kM rows of the block, which begin at `warp_row`. `units`
// are what one of each row's is worth.
template <int kM, int kColumns>
FOVEA_DEVICE void store_dquery(const BackwardParams& b, uint32_t stage,
                               const tile::Fragment<kM, kColumns>& sums, int first_piece,
                               const float (&units)[kM][2], const AttentionRows& rows,
                               uint32_t warp_row) {
  const AttentionParams& p = b.forward;
  float factor[kM][2];
  tile::each_row<kM>([&](int i, int h) { factor[i][h] = units[i][h] * p.spec.scale; });
  store_query_rows({b.dquery, p.spec.gradient_dtype, p.head_dim, false}, p.spec.dquery_stride, stage,
                   sums, first_piece, factor, false, p, rows, warp_row);
}

// Score gradients as their product takes them: of float16, times a power of two for each row, so that the
// largest so far lies between 2^10 and 2^15. The row keeps it while it does, as it keeps its reference in
// the softmax.
template <int kM, Precision kPrecision>
struct GradientUnits {
  static constexpr bool kHalfRange = kPrecision == Precision::kFloat16;
  float inverse[kM][2];  // what one of the row's sums is worth

  FOVEA_DEVICE GradientUnits() {
    tile::each_row<kM>([&](int i, int h) { inverse[i][h] = kHalfRange ? 0x1p-60f : 1; });
  }

  template <int kColumns, int kSums>
  FOVEA_DEVICE void apply(tile::Fragment<kM, kColumns>& ds, tile::Fragment<kM, kSums>& sums) {
    static_assert(kHalfRange);
    tile::each_row<kM>([&](int i, int h) {
      float most = 0;
      tile::each_of_row(ds, i, h, [&](float x, int, int) {
        most = tile::maximum(most, __builtin_fabsf(x));
      });
      most = tile::quad_max(most);
      if (most > 0x1p15f * inverse[i][h]) lower(i, h, most, sums);
      const float unit = tile::power_of_two(254 - int32_t(tile::as_bits(inverse[i][h]) >> 23) - 127);
      tile::scale_row(ds, i, h, unit);
    });
  }

  // The weights' power of two leaves the sums, too.
  FOVEA_DEVICE void finish() {
    tile::each_row<kM>([&](int i, int h) {
      inverse[i][h] *= tile::power_of_two(-int32_t(kWeightOffset<kPrecision>));
    });
  }

 private:
  template <int kSums>
  FOVEA_DEVICE void lower(int i, int h, float most, tile::Fragment<kM, kSums>& sums) {
    const float before = inverse[i][h];
    inverse[i][h] = gradient_unit(most);
    tile::scale_row(sums, i, h, before / inverse[i][h]);
  }
};

template <BackwardVariant kIt>
struct BackwardQueries : BackwardScores<kIt> {
  using Base = BackwardScores<kIt>;
  using Base::b, Base::p, Base::mine, Base::kM, Base::kKeys, Base::kRows;
  static constexpr int kColumns = Base::kDim / 8 / Base::kTile.shares;
  static_assert(Base::kTile.warps * kStagedBytes <= Base::kRowsOffset);

  FOVEA_DEVICE explicit BackwardQueries(const BackwardParams& params) : Base(params) {}

  FOVEA_DEVICE void run() {
    AttentionRows rows = locate_rows<kRows>(p);
    int32_t tiles = set_visible_tiles<kKeys>(rows, p);
    if constexpr (kIt.general) {
      tiles = restrict_to_list(p.lists, rows, tiles, tile_of<kRows>(rows));
    }
    if (tile::thread_index() == 0) store_rows(this->shared_rows, rows);
    tile::sync_block();
    tile::Fragment<kM, kColumns> dquery = {};
    GradientUnits<kM, Base::kPrecision> units;
    if (tiles > 0) {
      this->load_queries(rows);
      typename Base::Ring ring(p, rows_of_keys<kIt.positions>(p, rows), this->ring_base,
                               this->shared_rows);
      if constexpr (kIt.positions) {
        tile::copy_async_commit();
        tile::copy_async_wait<0>();
        tile::sync_block();
        this->positions().add_biases(rows);
      }
      ring.start(rows.begin, tiles);
      FOVEA_NO_UNROLL
      for (int32_t tile = tiles - 1; tile >= 0; --tile) {
        tile::Fragment<kM, Base::kKeyColumns> dp;
        const uint32_t value_tile = ring.template next<RingItem::kValues>(tile);
        if constexpr (kIt.positions) {  // the last band has been read
          this->positions().load_band(load_rows(this->shared_rows), this->first_key(tile));
          tile::copy_async_commit();
        }
        this->multiply_values(dp, value_tile);
        const uint32_t key_tile = ring.template next<RingItem::kKeys>(tile);
        this->template differentiate<true>(dp, key_tile, tile);
        if constexpr (units.kHalfRange) units.apply(dp, dquery);
        tile::add_weighted_rows<Base::kPrecision, true, Base::kDimBytes>(dquery, dp, key_tile,
                                                                         first_column());
        if constexpr (kIt.positions) add_positions(dquery, dp);
      }
    }
    units.finish();
    tile::sync_block();  // the last readers are done: the sums take the place of query and dout
    store_dquery(b, this->queries + Base::warp() * kStagedBytes, dquery, first_column(),
                 units.inverse, load_rows(this->shared_rows), Base::warp_row());
  }

 private:
  static FOVEA_DEVICE uint32_t first_column() { return Base::share() * kColumns; }

  // dquery += ds times the keys of its distances.
  FOVEA_DEVICE void add_positions(tile::Fragment<kM, kColumns>& dquery,
                                  const tile::Fragment<kM, Base::kKeyColumns>& ds) const {
    const typename Base::Positions positions = this->positions();
    if (!positions.given()) return;
    tile::Fragment<kM, Base::Positions::kColumns> e;
    positions.staged.put(ds);
    positions.staged.take(e);
    tile::add_weighted_rows<Base::kPrecision, true, Base::kDimBytes>(
        dquery, e, positions.warp_band(Base::warp_row()), first_column());
  }
};

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(
    kBackwardVariant<kVariant>.tile.queries.threads(),
    kBackwardVariant<kVariant>.tile.queries.blocks) void backward_queries(const BackwardParams b) {
  BackwardQueries<kBackwardVariant<kVariant>>(b).run();
}

// How the keys kernel keeps its sums of dquery: not row by row but piece by piece, 16 rows by 8
// columns, as the threads of a warp hold one, so that each addition of a warp is whole lines of 128
// bytes: four of a thread's sums side by side where they are one addition, else those of a warp.
template <BackwardVariant kIt>
struct QuerySums {
  static constexpr int kRows = kIt.tile.keys.rows;
  static constexpr int kDim = kIt.tile.head_dim();

  // The first sum of the tile that begins at a row of the workspace.
  static FOVEA_DEVICE float* first_of(const BackwardParams& b, int64_t workspace_row) {
    return b.dquery_sums + workspace_row * kDim;
  }
  // Of a piece, and of a thread's part of it, from the first of the tile.
  static FOVEA_DEVICE uint32_t piece_step(uint32_t row_piece, uint32_t column_piece) {
    return (row_piece * (kDim / 8) + column_piece) * 4 * tile::kWarp;
  }
  static FOVEA_DEVICE uint32_t piece(uint32_t row_piece, uint32_t column_piece) {
    return piece_step(row_piece, column_piece) +
           tile::thread_index() % tile::kWarp * (tile::kAddsQuads ? 4 : 1);
  }
  // Of element e, from there.
  static FOVEA_DEVICE int element(int e) { return tile::kAddsQuads ? e : e * tile::kWarp; }

  static FOVEA_DEVICE void add(float* piece, const float (&sums)[4]) {
    if constexpr (tile::kAddsQuads) {
      tile::add_global_quad(piece, sums);
    } else {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) tile::add_global(piece + element(e), sums[e]);
    }
  }
};

// Scales, rounds and stores the sums: a tile of the keys kernel's rows for each block.
template <BackwardVariant kIt>
FOVEA_DEVICE void convert_sums(const BackwardParams& b) {
  using Sums = QuerySums<kIt>;
  const AttentionParams& p = b.forward;
  const AttentionRows rows = locate_rows<Sums::kRows>(p);
  const float* const sums =
      Sums::first_of(b, workspace_row(b, rows, 0, rows.first_head) + rows.first());
  const uint32_t warp = tile::thread_index() / tile::kWarp;
  for (uint32_t piece = warp; piece < Sums::kRows / 16; piece += kRowWarps) {
    tile::Fragment<1, Sums::kDim / 8> dquery = {};
    if (rows.count > 0) {
      FOVEA_UNROLL
      for (int j = 0; j < Sums::kDim / 8; ++j) {
        const float* const from = sums + Sums::piece(piece, j);
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) dquery[0][j][e] = tile::load_global(from + Sums::element(e));
      }
    }
    const float units[1][2] = {{1, 1}};
    store_dquery(b, tile::shared_base() + warp * kStagedBytes, dquery, 0, units, rows, piece * 16);
  }
}

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kRowThreads, 1) void backward_convert(const BackwardParams b) {
  tile::wait_for_last_kernel();
  convert_sums<kBackwardVariant<kVariant>>(b);
}

}  // namespace fovea::attention::cuda
