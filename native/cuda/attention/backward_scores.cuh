// The gradients of scores for a tile of query rows against one tile of keys:
//   ds_ij = p_ij (r_ij <dout_i, v_j> - delta_i),  p_ij = exp(x_ij - lse_i)
// in the orientation of the forward: a thread holds some keys of its query rows.
#pragma once

#include "cuda/attention/backward_rows.cuh"
#include "cuda/attention/backward_tiles.h"
#include "cuda/attention/gates.cuh"
#include "cuda/attention/output.cuh"
#include "cuda/attention/positions.cuh"
#include "cuda/attention/ring.cuh"
#include "tile/products.cuh"

namespace fovea::attention::cuda {

// lse and delta of a thread's rows.
template <int kM>
struct RowGradients {
  float lse2[kM][2], delta[kM][2];

  FOVEA_DEVICE void load(const BackwardParams& b, const AttentionRows& rows,
                         const ThreadRows& mine) {
    tile::each_row<kM>([&](int i, int h) {
      const uint32_t row = mine.row(i, h);
      lse2[i][h] = kAbsentLse;
      delta[i][h] = 0;
      if (int32_t(row) >= rows.count) return;
      const int64_t at = workspace_row(b, rows, rows.position(row), rows.head(row));
      lse2[i][h] = tile::load_global(b.lse2 + at);
      delta[i][h] = tile::load_global(b.delta + at);
    });
  }

  FOVEA_DEVICE bool any_split() const {
    bool split = false;
    // Anew: what this finds, held through the products, made exact float32 of D 64 spill 4 bytes on sm_120.
    tile::each_row<kM>([&](int i, int h) {
      split |= is_split(tile::as_float(tile::opaque(tile::as_bits(lse2[i][h]))));
    });
    return split;
  }
};

// Takes from the scores of split rows what their weights are relative to.
template <int kM, int kColumns>
FOVEA_DEVICE void rebase_rows(tile::Fragment<kM, kColumns>& s, const RowGradients<kM>& row,
                              const BackwardParams& b, const AttentionRows& rows,
                              const ThreadRows& mine) {
  tile::each_row<kM>([&](int i, int h) {
    if (!is_split(row.lse2[i][h])) return;
    const uint32_t r = mine.row(i, h);
    const int64_t at = workspace_row(b, rows, rows.position(r), rows.head(r));
    const float highest = tile::load_global(b.highest + at), rest = tile::load_global(b.rest + at);
    tile::change_row(s, i, h, [&](float x, int32_t) { return x - highest - rest; });
  });
}

// What one of the sums is worth where the largest score gradient of float16 so far is `most`: of that unit `most` is
// between 2^10 and 2^11, and another may be up to 2^15.
FOVEA_DEVICE float gradient_unit(float most) {
  const int32_t exponent = int32_t(tile::as_bits(most) >> 23) - 127;
  return tile::power_of_two(exponent < 115 ? exponent - 10 : 105);
}

template <BackwardVariant kIt>
struct BackwardScores {
  static constexpr AttentionTile kTile = kIt.tile.queries;
  static constexpr Precision kPrecision = kIt.precision;
  static constexpr int kRows = kTile.rows(), kThreads = kTile.threads(), kKeys = kTile.keys;
  static constexpr int kDim = kTile.head_dim, kValueDim = kTile.value_head_dim;
  static constexpr int kDimBytes = kDim * kIt.element_bytes();
  static constexpr int kValueBytes = kValueDim * kIt.element_bytes();
  static constexpr int kRowWarps = kTile.warps / kTile.shares;
  static constexpr int kM = kTile.warp_rows / 16, kKeyColumns = kKeys / 8;
  static constexpr int kRingOffset = kIt.ring_offset(), kSlotBytes = kIt.slot_bytes();
  static constexpr int kRowsOffset = kIt.queries_rows_offset();
  static constexpr int kOffset = int(kWeightOffset<kPrecision>);
  static constexpr int kPositionQueries = kIt.position_queries_offset();
  static constexpr int kBandOffset = kIt.band_offset(), kStagedOffset = kIt.staged_offset();
  using Positions = PositionTile<kPrecision, kRows, kKeys, kDim, kThreads>;
  using Element = typename tile::PrecisionTypes<kPrecision>::Element;
  using Ring = TileRing<Element, kKeys, kDim, kValueDim, kTile.slots, kThreads, RingItem::kValues,
                        kIt.general>;

  const BackwardParams& b;
  const AttentionParams& p;
  const ThreadRows mine;
  const uint32_t queries, douts, ring_base, shared_rows;  // in shared memory
  RowGradients<kM> row;

  FOVEA_DEVICE explicit BackwardScores(const BackwardParams& params)
      : b(params),
        p(params.forward),
        mine(warp_row()),
        queries(tile::shared_base()),
        douts(queries + kRows * kDimBytes),
        ring_base(queries + kRingOffset),
        shared_rows(queries + kRowsOffset) {}

  static FOVEA_DEVICE uint32_t warp() { return tile::thread_index() / tile::kWarp; }
  static FOVEA_DEVICE uint32_t warp_row() {
    return (kTile.shares == 1 ? warp() : warp() % kRowWarps) * kTile.warp_rows;
  }
  // Which of the warps with the same rows this is.
  static FOVEA_DEVICE uint32_t share() { return kTile.shares == 1 ? 0 : warp() / kRowWarps; }

  // Sends for the rows of query and dout, and for what the thread must know of its own.
  FOVEA_DEVICE void load_queries(const AttentionRows& rows) {
    load_rows_tile<kRows, kDim, kThreads>(queries, static_cast<const Element*>(p.query),
                                          p.spec.query_stride, p.head_dim, p.query_copy, rows);
    load_rows_tile<kRows, kValueDim, kThreads>(douts, static_cast<const Element*>(b.dout_factor),
                                               b.dout_factor_stride, p.value_head_dim, b.dout_rows, rows);
    row.load(b, rows, mine);
  }

  FOVEA_DEVICE Positions positions() const {
    return {
        p, queries, queries + kPositionQueries, queries + kBandOffset, {queries + kStagedOffset}};
  }

  FOVEA_DEVICE void multiply_values(tile::Fragment<kM, kKeyColumns>& dp, uint32_t value_tile) {
    tile::multiply_rows<kPrecision, kValueBytes>(dp, douts, warp_row(), value_tile);
  }

  FOVEA_DEVICE int32_t first_key(int32_t tile) const {
    return first_key_of<kIt.general, kKeys>(p.lists, tile, shared_rows);
  }

  // What differentiate gives beside the gradients of scores, or instead of them.
  using Load = LoadGradients<kM, kKeyColumns>;
  struct Wanted {
    bool gates = false;  // instead: those of logits of gates of keys, p_ij r_ij sigmoid'(gate_j) <dout_i, v_j>
    Load* load = nullptr;  // instead: what times its partial is that of what it has found in a program's table
    tile::Fragment<kM, kKeyColumns>* weights = nullptr;  // with keys of distances; before dropout and gates
  };

  // From dp = <dout, value> to ds; kProducts is whether a softcap's derivative joins it, as the
  // products with keys and queries need it.
  template <bool kProducts>
  FOVEA_DEVICE void differentiate(tile::Fragment<kM, kKeyColumns>& dp, uint32_t key_tile,
                                  int32_t tile, const Wanted& wanted = {}) {
    if constexpr (kIt.general) {
      if (p.weight_factors != 0) {
        multiply_weights(dp, p, load_rows(shared_rows), mine.anew(), first_key(tile), wanted.gates);
        tile::scale(dp, p.dropout_scale);
      }
    }
    tile::each_row<kM>([&](int i, int h) {
      const float delta = wanted.gates ? 0.0f : row.delta[i][h];
      tile::change_row(dp, i, h, [&](float x, int32_t) { return x - delta; });
    });
    tile::Fragment<kM, kKeyColumns> s;
    tile::multiply_rows<kPrecision, kDimBytes>(s, queries, warp_row(), key_tile);
    if constexpr (kIt.positions) positions().add_scores(s, warp_row());
    const auto places = [&] {
      return RowPlaces{p, shared_rows, mine, first_key(tile)};
    };
    if constexpr (kIt.general && kProducts) ScoreModifier<RowPlaces>{p, places()}.apply(s, dp);
    if constexpr (kIt.general && !kProducts) {
      const ScoreModifier<RowPlaces> modifier{p, places()};
      if (kRunsPrograms && wanted.load != nullptr) {
        modifier.apply(s, dp, *wanted.load);
      } else {
        modifier.apply(s);
      }
    }
    if constexpr (kIt.general) {
      if (is_partial(p, p.lists, tile, shared_rows)) hide_gaps(p, places(), s);
    }
    if (is_masked<kIt.general>(p.lists, tile, shared_rows)) mask_scores(p, places(), s);
    if (row.any_split()) rebase_rows(s, row, b, load_rows(shared_rows), mine.anew());
    // Sums of gradients are not products: there weights are ones.
    constexpr float kUnit = kProducts || kOffset == 0 ? 1 : 0x1p-15f;
    tile::each_element<kM, kKeyColumns>([&](int i, int j, int e) {
      const float x = s[i][j][e];
      const float weight =
          weight_of<kIt.general, kOffset>(x, p.softmax_scale, row.lse2[i][e / 2]) * kUnit;
      // Not 0 * dp: what a row does not see may be NaN.
      dp[i][j][e] = x == -tile::kInfinity ? 0.0f : weight * dp[i][j][e];
      if constexpr (kIt.positions) {
        if (wanted.weights != nullptr) (*wanted.weights)[i][j][e] = x == -tile::kInfinity ? 0.0f : weight;
      }
    });
  }
};

}  // namespace fovea::attention::cuda
