// Planes of linear fits: a block for a tile of query rows, which walks the keys that they see twice.

#include "cuda/distance/gradients.cuh"
#include "cuda/distance/row_fits.cuh"

namespace fovea::distance::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void distance_fits(const DistanceParams p) {
  using Tile = FitForwardTile;
  const AttentionRows located = locate_rows<kFitRows>(p);
  FitScores<Tile> scores(p, located, Tile::kOwnAt);
  const int32_t tiles = set_visible_tiles<kKeys>(scores.rows, p);
  if (scores.rows.count <= 0) return;
  RowFits<FitScores<Tile>, false> fits(scores, Tile::kOwnAt + FitTerms::kBytes);
  const auto walk = [&](auto body) {
    FOVEA_NO_UNROLL
    for (int32_t tile = 0; tile < tiles; ++tile) {
      const int32_t first_key = (scores.rows.begin + tile) * kKeys;
      scores.compute(first_key);
      scores.keeps_queries = true;
      body(first_key);
    }
  };
  if (tiles > 0) scores.load_heads();
  walk([&](int32_t first_key) { fits.find_nearest(first_key); });
  fits.centre();
  walk([&](int32_t first_key) {
    scores.widen_keys();
    fits.weigh(first_key);
    tile::sync_block();
    fits.add();
  });
  fits.finish();
}

// And, in place of what rows have beside, base and rest: the score of the nearest key, and the logarithm of
// what the sum is to its power.
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void distance_backward_fits(const BackwardParams b) {
  const DistanceParams& p = b.forward;
  BackwardFitScores scores(b, locate_rows<kFitRows>(p));
  const AttentionRows& rows = scores.rows;
  const int32_t tiles = set_visible_tiles<kKeys>(scores.rows, p);
  if (rows.count <= 0) return;
  RowFits<BackwardFitScores, true> fits(scores, BackwardTile::kHeadsAt + FitTerms::kBytes);
  if (tiles > 0) scores.load_heads();
  FOVEA_NO_UNROLL
  for (int32_t tile = 0; tile < tiles; ++tile) {
    const int32_t first_key = (rows.begin + tile) * kKeys;
    scores.compute(first_key);
    scores.keeps_queries = true;
    fits.find_nearest(first_key);
  }
  fits.centre();
  FOVEA_NO_UNROLL
  for (int32_t tile = 0; tile < tiles; ++tile) {
    const int32_t first_key = (rows.begin + tile) * kKeys;
    float dp[BackwardTile::kRowsEach][BackwardTile::kKeysEach] = {};
    scores.compute_products(first_key, dp);
    scores.keeps_dout = p.value_head_dim <= BackwardTile::kPart;
    FOVEA_UNROLL
    for (int r = 0; r < BackwardTile::kRowsEach; ++r) {
      const int32_t row = scores.row_of(r);
      const uint32_t dropped_keys = row < rows.count ? scores.draw_dropped(row, first_key) : 0;
      FOVEA_UNROLL
      for (int c = 0; c < BackwardTile::kKeysEach; ++c) {
        const bool is_dropped = (dropped_keys >> c & 1) != 0;
        store_float(scores.dropped(row, scores.key_of(c)),
                    is_dropped ? 0.0f : dp[r][c] * p.dropout_scale);
      }
    }
    fits.weigh(first_key);
    tile::sync_block();
    fits.add();
  }
  const double sum = fits.finish();
  if (!fits.leads()) return;
  const int32_t row = fits.row();
  const float lse =
      tile::load_global(p.lse + rows.lse_offset(p, rows.position(row), rows.head(row)));
  const bool dead = lse == -tile::kInfinity || (!fits.sees() && lse == lse);
  const int64_t at = workspace_row(p, rows, row);
  tile::store_global(b.base + at, dead ? tile::kInfinity : fits.sees() ? fits.nearest() : lse);
  tile::store_global(b.rest + at, dead ? 0.0f : tile::log2_approx(float(sum)));
  tile::store_global(b.delta + at, 0.0f);
}

}  // namespace

DistanceKernel* fits_kernel() { return distance_fits; }
BackwardKernel* backward_fits_kernel() { return distance_backward_fits; }

}  // namespace fovea::distance::cuda
