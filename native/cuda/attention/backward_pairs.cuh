// The gradients of the scores of any tile of rows of one head and any tile of keys: for kernels that own what they
// sum over many of them, and take them one by one.
#pragma once

#include "cuda/attention/backward_scores.cuh"

namespace fovea::attention::cuda {

template <BackwardVariant kIt>
struct BackwardPairs : BackwardScores<kIt> {
  using Base = BackwardScores<kIt>;
  using Base::b, Base::p, Base::mine, Base::kM, Base::kKeyColumns, Base::kKeys;

  FOVEA_DEVICE explicit BackwardPairs(const BackwardParams& params) : Base(params) {}

  // False if no row sees a key of the tile.
  template <bool kProducts = false>
  FOVEA_DEVICE bool gradients(tile::Fragment<kM, kKeyColumns>& ds, AttentionRows& rows,
                              int32_t tile, const typename Base::Wanted& wanted = {}) {
    const int32_t tiles = set_visible_tiles<kKeys>(rows, p), visible = tile - rows.begin;
    if (visible < 0 || visible >= tiles) return false;
    // Of a single head's rows there are no lists of tiles.
    const int64_t key = int64_t{tile} * kKeys;
    if (p.is_sparse && next_seen_key(p, rows, key) >= key + kKeys) return false;
    tile::sync_block();  // the last tile's readers are done
    if (tile::thread_index() == 0) store_rows(this->shared_rows, rows);
    tile::sync_block();
    typename Base::Ring ring(p, rows_of_keys<kIt.positions>(p, rows), this->ring_base,
                             this->shared_rows);
    const uint32_t key_tile = this->ring_base, value_tile = key_tile + Base::kSlotBytes;
    ring.seek(tile);
    ring.template load<RingItem::kKeys>(visible, key_tile);
    ring.template load<RingItem::kValues>(visible, value_tile);
    this->load_queries(rows);
    if constexpr (kIt.positions) this->positions().load_band(rows, tile * kKeys);
    tile::copy_async_commit();
    tile::copy_async_wait<0>();
    tile::sync_block();
    if constexpr (kIt.positions) {
      this->positions().add_biases(rows);
      tile::sync_block();
    }
    this->multiply_values(ds, value_tile);
    this->template differentiate<kProducts>(ds, key_tile, visible, wanted);
    // Rows that are not there weigh nothing, but a value that is not finite makes NaN of it.
    tile::each_row<kM>([&](int i, int h) {
      const bool present = int32_t(mine.row(i, h)) < rows.count;
      tile::change_row(ds, i, h, [&](float x, int32_t) { return present ? x : 0.0f; });
    });
    return true;
  }
};

}  // namespace fovea::attention::cuda
