// What the backward pass knows of each query row before: delta = <dout, out> (Dao, FlashAttention-2,
// arXiv 2307.08691, algorithm 2), and the logarithm of its sum.
#pragma once

#include "core/constants.h"
#include "cuda/pairs/backward_tile.cuh"
#include "cuda/pairs/row_softmax.cuh"

namespace fovea::pairs::cuda {

FOVEA_DEVICE bool is_large(float base) {
  return __builtin_fabsf(base) >= kLargeLse && __builtin_fabsf(base) < tile::kInfinity;
}

// lse in units of log2; a row that sees no key gets infinity, so that its weights are zero.
FOVEA_DEVICE float base_of(float lse) {
  if (__builtin_fabsf(lse) == tile::kInfinity) return tile::kInfinity;
  const double binary = double(lse) / kLn2, most = 3.40282346638528859812e38;
  return float(binary > most ? most : binary < -most ? -most : binary);
}

// A warp for each row. Whether any of them has a large lse.
template <typename Params>
FOVEA_DEVICE bool store_statistics(const Params& b, const AttentionRows& rows) {
  const auto& p = b.forward;
  bool any_large = false;
  FOVEA_NO_UNROLL
  for (int32_t row = warp(); row < rows.count; row += kWarps) {
    const int32_t position = rows.position(row), head = rows.head(row);
    const float lse = tile::load_global(p.lse + rows.lse_offset(p, position, head));
    const float base = base_of(lse);
    float delta = 0;
    tile::with_type(p.spec.out_dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      const Element* const out =
          static_cast<const Element*>(p.out) + rows.offset(p.spec.out_stride, position, head);
      const Element* const dout =
          static_cast<const Element*>(b.dout) + rows.offset(p.spec.dout_stride, position, head);
      FOVEA_NO_UNROLL
      for (int32_t d = lane(); d < p.value_head_dim; d += tile::kWarp) {
        delta = tile::fused_multiply_add(tile::widen(tile::load_global(dout + d)),
                                         tile::widen(tile::load_global(out + d)), delta);
      }
    });
    delta = tile::warp_sum(delta);
    any_large = any_large || is_large(base);
    if (lane() != 0) continue;
    const int64_t at = workspace_row(p, rows, row);
    tile::store_global(b.base + at, base);
    tile::store_global(b.rest + at, 0.0f);
    tile::store_global(b.delta + at, lse == -tile::kInfinity ? 0.0f : delta);
  }
  return any_large;
}

// A block for a tile of rows; `Scores` of a BackwardTile, as run_forward takes them.
template <typename Scores, typename Params>
FOVEA_DEVICE void run_rows(const Params& b) {
  const auto& p = b.forward;
  AttentionRows rows = locate_rows<BackwardTile::kRows>(p);
  const int32_t tiles = set_visible_tiles<kKeys>(rows, p);
  if (rows.count <= 0) return;
  const bool large = store_statistics(b, rows);
  // Float32 has lost what such an lse differs from another by: the row's largest score and sum once more,
  // unless the lse is not that of these keys alone.
  const uint32_t shared = tile::shared_base();
  if (lane() == 0) tile::store_shared(shared + 4 * warp(), uint32_t{large});
  tile::sync_block();
  bool any_large = false;
  FOVEA_UNROLL
  for (int i = 0; i < kWarps; ++i) any_large |= tile::load_shared(shared + 4 * i) != 0;
  if (!any_large) return;

  Scores scores(p, rows, BackwardTile::kHeadsAt);
  RowSoftmax<Scores> softmax(scores);
  scores.load_heads();
  for (int32_t tile = 0; tile < tiles; ++tile) {
    const int32_t first_key = (rows.begin + tile) * kKeys;
    scores.compute(first_key);
    scores.keeps_queries = p.head_dim <= BackwardTile::kPart;
    float x[2 * RowSoftmax<Scores>::kPairs];
    softmax.step(first_key, x);
  }
  softmax.finish();
  if (softmax.column(0) != 0 || softmax.row >= rows.count) return;
  const int64_t at = workspace_row(p, rows, softmax.row);
  const float given =
      base_of(tile::load_global(p.lse + rows.lse_offset(p, rows.position(softmax.row),
                                                        rows.head(softmax.row))));
  if (!is_large(given)) return;
  const float rest = tile::log2_approx(softmax.sum);
  // Two conversions and a rounding lie between them.
  const float off = __builtin_fabsf((softmax.reference - given) + rest);
  if (!(off <= 0x1p-21f * __builtin_fabsf(given))) return;
  tile::store_global(b.base + at, softmax.reference);
  tile::store_global(b.rest + at, rest);
}

}  // namespace fovea::pairs::cuda
