// The weighted sums of values of a warp's rows, by products of warpgroups.
#pragma once

#include "cuda/attention/warpgroup.cuh"
#include "tile/products.cuh"

namespace fovea::attention::cuda {

// Of 16 bits: products add to them.
template <WarpgroupVariant kIt>
struct ValueSums {
  using Element = typename tile::PrecisionTypes<kIt.precision>::Element;
  using Weights = uint32_t[kIt.tile.keys / 16][4];
  using Sums = tile::Fragment<1, kIt.tile.value_head_dim / 8>;

  Sums all = {};

  static FOVEA_DEVICE void pack(Weights& weights, const tile::Fragment<1, kIt.tile.keys / 8>& s) {
    cuda::pack<Element>(weights, s);
  }

  // A group of products with the tile at `values`.
  FOVEA_DEVICE void issue(const Weights& weights, uint32_t values) {
    issue_columns<Element, kIt.tile.keys>(all, weights, values);
  }
  FOVEA_DEVICE void wait() { tile::wgmma_wait<0>(flat(all)); }

  // Behind the wait.
  FOVEA_DEVICE void scale_row(int i, int h, float by) { tile::scale_row(all, i, h, by); }
  FOVEA_DEVICE void end_tile() {}
  FOVEA_DEVICE void end() {}
};

// Of e4m3, in two levels: tensor cores keep 13 bits of fraction of what they add, so products of a few tiles are summed
// apart. With all tiles in one sum a weight that is 2^-14 of the sum so far is lost, whatever there is of its likes.
template <WarpgroupVariant kIt>
  requires(kIt.precision == Precision::kFloat8)
struct ValueSums<kIt> {
  using Weights = uint32_t[kIt.tile.keys / 32][4];
  using Sums = tile::Fragment<1, kIt.tile.value_head_dim / 8>;
  static constexpr int kTiles = 4;

  Sums all = {}, latest = {};
  int32_t tiles = 0;  // in the latest

  static FOVEA_DEVICE void pack(Weights& weights, const tile::Fragment<1, kIt.tile.keys / 8>& s) {
    pack_e4m3(weights, s);
  }

  FOVEA_DEVICE void issue(const Weights& weights, uint32_t values) {
    issue_transposed_columns<kIt.tile.keys>(latest, weights, values, tiles > 0);
    ++tiles;
  }
  FOVEA_DEVICE void wait() { tile::wgmma_wait<0>(flat(latest)); }

  FOVEA_DEVICE void scale_row(int i, int h, float by) {
    tile::scale_row(all, i, h, by);
    tile::scale_row(latest, i, h, by);
  }
  FOVEA_DEVICE void end_tile() {
    if (tiles == kTiles) end();
  }
  FOVEA_DEVICE void end() {
    tile::each_element<1, kIt.tile.value_head_dim / 8>([&](int i, int j, int e) { all[i][j][e] += latest[i][j][e]; });
    tiles = 0;
  }
};

}  // namespace fovea::attention::cuda
