// dkey and dvalue, and on the way sums of dquery: a block for each tile of keys, which stay in shared
// memory while the query rows that see them come by (Dao, FlashAttention-2, arXiv 2307.08691,
// algorithm 2). Scores are computed transposed, keys by rows, so that the weights and the score
// gradients in a thread's registers are, packed, operands of the products that follow; each warp owns
// its keys. Only dquery, a sum over keys, takes the gradients through shared memory.
#pragma once

#include "cuda/attention/backward_columns.cuh"
#include "cuda/attention/backward_queries.cuh"
#include "cuda/attention/output.cuh"
#include "tile/products.cuh"

namespace fovea::attention::cuda {

template <BackwardVariant kIt>
struct BackwardKeys {
  static constexpr KeysTile kTile = kIt.tile.keys;
  static constexpr Precision kPrecision = kIt.precision;
  static constexpr int kKeys = kTile.keys(), kThreads = kTile.threads(), kRows = kTile.rows;
  static constexpr int kDim = kIt.tile.head_dim(), kValueDim = kIt.tile.value_head_dim();
  static constexpr int kDimBytes = kDim * kIt.element_bytes();
  static constexpr int kValueBytes = kValueDim * kIt.element_bytes();
  static constexpr int kM = kTile.warp_keys / 16, kColumns = kRows / 8;
  static constexpr int kKeyWarps = kTile.warps / kTile.shares;
  static constexpr int kDimColumns = kDim / 8 / kTile.shares;
  static constexpr int kValueColumns = kValueDim / 8 / kTile.shares;
  // How the warps share a tile of dquery: rows in pieces of 16, columns in pieces of 8.
  static constexpr int kRowPieces = kRows % 32 == 0 ? 2 : 1;
  static constexpr int kRowParts = kRows / 16 / kRowPieces;
  static constexpr int kQueryColumns = kDim / 8 / (kTile.warps / kRowParts);
  static_assert(kTile.warps % kRowParts == 0 && kQueryColumns > 0);
  static constexpr int kStagesOffset = kIt.stages_offset(), kStageBytes = kIt.stage_bytes();
  static constexpr int kGradientsOffset = kIt.gradients_offset();
  static constexpr int kGradientBytes = kIt.gradient_row_bytes();
  static constexpr int kFactsOffset = kIt.facts_offset(), kFactsBytes = kIt.facts_bytes();
  static constexpr int kRowsOffset = kIt.keys_rows_offset(), kKeysFactsOffset = kIt.keys_facts_offset();
  static_assert(kTile.warps * kStagedBytes <= kStagesOffset);
  // Groups of copies to a stage: with only one stage, dout may come while query is multiplied.
  static constexpr int kGroups = kTile.stages == 1 ? 2 : 1;
  using Element = typename tile::PrecisionTypes<kPrecision>::Element;
  // Products of float16 take score gradients times a power of two, as lower_shift() says, and weights times another.
  static constexpr bool kHalfRange = kPrecision == Precision::kFloat16;
  static constexpr int32_t kOffset = int32_t(kWeightOffset<kPrecision>);

  const BackwardParams& b;
  const AttentionParams& p;
  const uint32_t keys, values, stages, gradients, facts, shared_rows, keys_facts;  // in shared memory
  int32_t tiles;  // of rows that see any of the keys

  FOVEA_DEVICE explicit BackwardKeys(const BackwardParams& params)
      : b(params),
        p(params.forward),
        keys(tile::shared_base()),
        values(keys + kKeys * kDimBytes),
        stages(keys + kStagesOffset),
        gradients(keys + kGradientsOffset),
        facts(keys + kFactsOffset),
        shared_rows(keys + kRowsOffset),
        keys_facts(keys + kKeysFactsOffset) {
    const AttentionItem at = locate_item(p);
    AttentionRows rows = locate_pair(p, at.batch, at.key_head);
    set_rows(rows, 0, 0);
    const int32_t first_key = int32_t(at.tile) * kKeys;
    tiles = set_seeing_tiles<kRows, kKeys>(p, rows, first_key);
    if constexpr (kIt.general) {
      tiles = restrict_to_list(b.key_lists, rows, tiles, int32_t(at.tile));
    }
    if (tile::thread_index() == 0) {
      store_rows(shared_rows, rows);
      store_fact(kQueryBase, rows.offset(p.spec.query_stride, 0, rows.first_head));
      store_fact(kDoutBase, rows.offset(b.dout_factor_stride, 0, rows.first_head));
      store_fact(kWorkspaceBase, workspace_row(b, rows, 0, rows.first_head));
      store_fact(kFirstKey, first_key);
    }
    if (tiles > 0) {
      load_keys<kDim>(keys, p.key, p.spec.key_stride, p.head_dim, p.key_copy, rows, first_key);
      load_keys<kValueDim>(values, p.value, p.spec.value_stride, p.value_head_dim, p.value_copy, rows,
                           first_key);
    }
    tile::sync_block();
  }

  FOVEA_DEVICE void run() {
    tile::Fragment<kM, kDimColumns> dkey = {};
    tile::Fragment<kM, kValueColumns> dvalue = {};
    int32_t shift = kHalfRange ? kMostShift : 0;
    if (tiles > 0) attend(dkey, dvalue, shift);
    tile::sync_block();  // the keys have been read: their gradients take their place
    // To the scale first: a product of both might overflow where the gradient does not.
    const bool accumulate = p.spec.accumulate;
    store_keys({b.dkey, p.spec.gradient_dtype, p.head_dim, accumulate}, p.spec.dkey_stride, dkey,
               p.spec.scale, tile::power_of_two(-shift), share() * kDimColumns);
    store_keys({b.dvalue, p.spec.gradient_dtype, p.value_head_dim, accumulate}, p.spec.dvalue_stride,
               dvalue, p.dropout_scale, tile::power_of_two(-kOffset), share() * kValueColumns);
  }

 private:
  static FOVEA_DEVICE uint32_t warp() { return tile::thread_anew() / tile::kWarp; }
  static FOVEA_DEVICE uint32_t warp_key() {
    return (kTile.shares == 1 ? warp() : warp() % kKeyWarps) * kTile.warp_keys;
  }
  static FOVEA_DEVICE uint32_t share() { return kTile.shares == 1 ? 0 : warp() / kKeyWarps; }

  FOVEA_DEVICE uint32_t stage_rows(int stage) const { return stages + stage * kStageBytes; }
  FOVEA_DEVICE RowFacts<kRows> stage_facts(int stage) const {
    return {facts + stage * kFactsBytes};
  }

  template <int kWidth>
  FOVEA_DEVICE void load_keys(uint32_t to, const void* tensor, const int64_t (&stride)[3],
                              int width, RowCopy copy, const AttentionRows& rows, int32_t first_key) {
    using Copy = tile::TileCopy<kKeys, kWidth, kThreads, Element>;
    const auto* const all = static_cast<const Element*>(tensor);
    const Element* const from = Copy::first_source(
        all + rows.key_offset(stride) + first_key * stride[1], stride[1]);
    if (copy.whole && first_key + kKeys <= rows.key_length) {
      Copy::copy_whole(to, from, stride[1]);
    } else {
      Copy::copy(to, from, stride[1], rows.key_length - first_key, width, copy.bytes, all);
    }
  }

  FOVEA_DEVICE int32_t place(int32_t tile) const {
    return place_of<kIt.general>(b.key_lists, tile, shared_rows);
  }

  FOVEA_DEVICE AttentionRows rows_of(int32_t tile) const {
    AttentionRows rows = load_rows(shared_rows);
    set_rows(rows, uint32_t(place_from<kIt.general>(b.key_lists, rows.begin, tile)), kRows);
    return rows;
  }

  // Bases are products of 64 bits: computed for each tile, they and their like were a tenth of the
  // instructions at D 64.
  FOVEA_DEVICE void store_fact(KeysFact which, int64_t value) {
    tile::store_shared_pair(keys_facts + 8 * which, uint32_t(value), uint32_t(value >> 32));
  }
  FOVEA_DEVICE int64_t load_fact(KeysFact which) const {
    uint32_t low, high;
    tile::load_shared_pair(keys_facts + 8 * which, low, high);
    return int64_t(uint64_t{high} << 32 | low);
  }

  // From shared memory: held through the products, keys would make the kernel of D 128 spill.
  FOVEA_DEVICE int32_t first_warp_key() const {
    return int32_t(load_fact(kFirstKey)) + int32_t(warp_key());
  }

  // Of the first row of a tile in the workspace.
  FOVEA_DEVICE int64_t workspace_tile(int32_t tile) const {
    return load_fact(kWorkspaceBase) + int64_t{place(tile)} * kRows;
  }

  // Sends for a tile of rows: query with the facts, and dout.
  FOVEA_DEVICE void load_stage(int32_t tile, int stage) {
    if (tile >= 0) {
      const AttentionRows rows = rows_of(tile);
      const uint32_t to = stage_rows(stage);
      load_stage_rows<kDim>(to, p.query, kQueryBase, p.spec.query_stride, p.head_dim, p.query_copy, rows);
      load_facts(stage_facts(stage), rows, tile);
      if constexpr (kGroups == 2) tile::copy_async_commit();
      load_stage_rows<kValueDim>(to + kRows * kDimBytes, b.dout_factor, kDoutBase, b.dout_factor_stride,
                                 p.value_head_dim, b.dout_rows, rows);
    } else if constexpr (kGroups == 2) {
      tile::copy_async_commit();  // an empty group too, so that a wait counts them
    }
    tile::copy_async_commit();
  }

  template <int kWidth>
  FOVEA_DEVICE void load_stage_rows(uint32_t to, const void* tensor, KeysFact which,
                                    const int64_t (&stride)[3], int width, RowCopy copy,
                                    const AttentionRows& rows) {
    const int64_t base = load_fact(which);
    load_rows_tile<kRows, kWidth, kThreads>(
        to, static_cast<const Element*>(tensor), width, copy, rows.count, [&](uint32_t row) {
          return base + rows.position(row) * stride[1] +
                 (rows.head(row) - rows.first_head) * stride[2];
        });
  }

  FOVEA_DEVICE void load_facts(RowFacts<kRows> to, const AttentionRows& rows, int32_t tile) {
    const uint32_t row = tile::thread_anew();
    if (row < kRows) {
      const int64_t at = workspace_tile(tile) + row;
      tile::copy_async<4>(to.of(kFactLse, row), b.lse2 + at, 4);
      tile::copy_async<4>(to.of(kFactDelta, row), b.delta + at, 4);
      if constexpr (kHalfRange) tile::copy_async<4>(to.of(kFactNorm, row), b.norm + at, 4);
      tile::store_shared(to.of(kFactPosition, row), uint32_t(rows.position(row)));
      if constexpr (kIt.general) {
        const int32_t head = rows.head(row);
        tile::store_shared(to.of(kFactHead, row), uint32_t(head));
        if (p.alibi_slopes != nullptr) {
          tile::store_shared(to.of(kFactSlope, row),
                             tile::as_bits(load_slope(p, rows.batch, head)));
        }
      }
    }
  }

  // Leaves dkey times 2^shift, dvalue times 2^kOffset.
  FOVEA_DEVICE void attend(tile::Fragment<kM, kDimColumns>& dkey,
                           tile::Fragment<kM, kValueColumns>& dvalue, int32_t& shift) {
    FOVEA_UNROLL
    for (int stage = 0; stage < kTile.stages; ++stage) load_stage(tiles - 1 - stage, stage);
    if constexpr (kHalfRange) {
      tile::copy_async_wait<kGroups * kTile.stages - 1>();
      tile::sync_block();
      find_value_norm();
    }
    int stage = 0;
    FOVEA_NO_UNROLL
    for (int32_t tile = tiles - 1; tile >= 0; --tile) {
      const uint32_t query_tile = stage_rows(stage), dout_tile = query_tile + kRows * kDimBytes;
      tile::Fragment<kM, kColumns> s, dp;
      tile::copy_async_wait<kGroups * kTile.stages - 1>();
      tile::sync_block();
      tile::multiply_rows<kPrecision, kDimBytes>(s, keys, warp_key(), query_tile);
      if constexpr (kGroups == 2) {
        tile::copy_async_wait<kGroups * kTile.stages - 2>();
        tile::sync_block();
      }
      const bool special = any_special(stage_facts(stage));
      if (special) {
        clear_dead_rows<kRows, kValueBytes, kThreads>(dout_tile, stage_facts(stage));
        tile::sync_block();
      }
      tile::multiply_rows<kPrecision, kValueBytes>(dp, values, warp_key(), dout_tile);
      if constexpr (kHalfRange) {
        lower_shift(shift, dkey, stage_facts(stage), tile::as_float(uint32_t(load_fact(kValueNorm))));
      }
      differentiate(s, dp, tile, stage_facts(stage), special, tile::power_of_two(shift - kOffset));
      if constexpr (kRunsPrograms && kHalfRange) {
        if (p.modifier_program != nullptr) lower_measured(shift, dkey, dp);
      }
      tile::add_weighted_rows<kPrecision, false, kValueBytes>(dvalue, s, dout_tile,
                                                              share() * kValueColumns);
      if (b.dquery_sums != nullptr && share() == 0) {
        tile::store_factors<kPrecision, kGradientBytes>(gradients, dp, warp_key());
      }
      tile::add_weighted_rows<kPrecision, true, kDimBytes>(dkey, dp, query_tile,
                                                           share() * kDimColumns);
      tile::sync_block();  // the stage is free, the gradients are there
      load_stage(tile - kTile.stages, stage);
      if (b.dquery_sums != nullptr) add_queries(tile, tile::power_of_two(-shift));
      stage = stage == kTile.stages - 1 ? 0 : stage + 1;
    }
  }

  // The largest 2-norm of the block's values, times what dropout scales weights by, for most_gradient().
  FOVEA_DEVICE void find_value_norm() {
    using Swizzle = tile::Swizzle<kValueBytes / 16>;
    float most = 0;
    for (uint32_t key = tile::thread_index(); key < kKeys; key += kThreads) {
      float squares = 0;
      FOVEA_NO_UNROLL
      for (uint32_t chunk = 0; chunk < kValueBytes / 16; ++chunk) {
        uint32_t words[4];
        tile::load_shared_quad(values + Swizzle::offset(key, chunk), words);
        FOVEA_UNROLL
        for (int e = 0; e < 8; ++e) {
          const float x = tile::element<Element>(words, e);
          squares = tile::fused_multiply_add(x, x, squares);
        }
      }
      most = tile::maximum(most, squares);
    }
    most = block_max(most);
    if (tile::thread_index() == 0) {
      // Rounded up, by more than the sum was rounded down.
      const float norm = tile::square_root(most) * (1 + 0x1p-12f) * p.dropout_scale;
      store_fact(kValueNorm, int64_t{tile::as_bits(norm)});
    }
    tile::sync_block();
  }

  // As lower_shift(), where a program's slopes have no bound: what the gradients have become decides.
  FOVEA_DEVICE void lower_measured(int32_t& shift, tile::Fragment<kM, kDimColumns>& dkey,
                                   tile::Fragment<kM, kColumns>& ds) {
    float most = 0;
    tile::each_element<kM, kColumns>([&](int i, int j, int e) {
      most = tile::maximum(most, __builtin_fabsf(ds[i][j][e]));
    });
    most = block_max(most);
    tile::sync_block();  // the place is free again
    const int32_t exponent = int32_t(tile::as_bits(most) >> 23) - 126;  // most < 2^exponent
    if (exponent <= 15) return;
    int32_t allowed = shift + 15 - exponent;
    if (allowed < kLeastShift) allowed = kLeastShift;  // of what is no number, which stays none
    const float change = tile::power_of_two(allowed - shift);
    shift = allowed;
    tile::scale(dkey, change);
    tile::scale(ds, change);
  }

  // Of all warps; by way of the gradients' place, which nobody reads now.
  FOVEA_DEVICE float block_max(float most) {
    most = tile::warp_max(most);
    if (tile::thread_index() % tile::kWarp == 0) {
      tile::store_shared(gradients + 4 * (tile::thread_index() / tile::kWarp), tile::as_bits(most));
    }
    tile::sync_block();
    for (int i = 0; i < kTile.warps; ++i) {
      most = tile::maximum(most, tile::as_float(tile::load_shared(gradients + 4 * i)));
    }
    return most;
  }

  // From scores and <value, dout> to weights, dropped where dropout drops, and score gradients.
  FOVEA_DEVICE void differentiate(tile::Fragment<kM, kColumns>& s, tile::Fragment<kM, kColumns>& dp,
                                  int32_t tile, RowFacts<kRows> row_facts, bool special, float unit) {
    uint32_t dropped = 0;
    if constexpr (kIt.general) {
      const ThreadKeys mine(first_warp_key());
      if (p.weight_factors != 0) {
        const AttentionRows rows = rows_of(tile);
        if (p.dropout_threshold != 0) dropped = drop_columns(dp, p, rows, row_facts, mine);
        if (p.key_gates != nullptr) gate_columns(dp, p, rows, row_facts, mine);
      }
      subtract_delta<kOffset>(dp, unit, row_facts);
      const AttentionRows rows = rows_of(tile);
      const ColumnPlaces<kRows> places{rows, row_facts, mine};
      ScoreModifier<ColumnPlaces<kRows>>{p, places}.apply(s, dp);
      if (is_partial(p, b.key_lists, tile, shared_rows)) hide_gaps(p, places, s, dp);
    }
    if (is_masked<kIt.general>(b.key_lists, tile, shared_rows)) {
      const AttentionRows rows = load_rows(shared_rows);
      const ColumnPlaces<kRows> places{rows, row_facts, ThreadKeys(first_warp_key())};
      mask_scores(p, places, s, dp);
    }
    if (special) rebase_columns(s, b, workspace_tile(tile), row_facts);
    weigh_columns<kIt.general, kOffset>(s, dp, p.softmax_scale, unit, row_facts);
    if constexpr (kIt.general) {
      if (p.weight_factors != 0) {
        tile::each_element<kM, kColumns>([&](int i, int j, int e) {
          if (dropped >> ((i * kColumns + j) * 4 + e) & 1) s[i][j][e] = 0;
        });
        if (p.key_gates != nullptr) {
          gate_columns(s, p, rows_of(tile), row_facts, ThreadKeys(first_warp_key()));
        }
      }
    }
  }

  // Adds this block's part of dquery for a tile of rows.
  FOVEA_DEVICE void add_queries(int32_t tile, float unit) {
    const uint32_t row_part = warp() % kRowParts, column_part = warp() / kRowParts;
    const uint32_t first_column = column_part * kQueryColumns;
    tile::Fragment<kRowPieces, kQueryColumns> dquery = {};
    tile::add_transposed_product<kPrecision, kGradientBytes, kDimBytes, kKeys>(
        dquery, gradients, row_part * kRowPieces * 16, keys, first_column);
    using Sums = QuerySums<kIt>;
    float* const sums = Sums::first_of(b, workspace_tile(tile)) +
                        Sums::piece(row_part * kRowPieces, first_column);
    if constexpr (kHalfRange) tile::scale(dquery, unit);
    FOVEA_UNROLL
    for (uint32_t i = 0; i < kRowPieces; ++i) {
      FOVEA_UNROLL
      for (uint32_t j = 0; j < kQueryColumns; ++j) {
        Sums::add(sums + Sums::piece_step(i, j), dquery[i][j]);
      }
    }
  }

  // The keys of the block in dkey or dvalue. Keys of padding have gradients of zero.
  template <int kTensorColumns>
  FOVEA_DEVICE void store_keys(const tile::RowsOut& out, const int64_t (&stride)[3],
                               const tile::Fragment<kM, kTensorColumns>& sums, float factor,
                               float unit, uint32_t first_column) {
    const AttentionRows rows = load_rows(shared_rows);
    const int32_t exist = p.spec.accumulate ? rows.key_length : key_rows(p, rows.batch);
    const int32_t first = first_warp_key();
    const ThreadKeys mine(first);
    tile::store_sums(
        out, keys + warp() * kStagedBytes, sums, int(first_column),
        [&](int i, int h, float x) {
          return mine.key(i, h) < rows.key_length ? x * unit * factor : 0.0f;
        },
        [&](uint32_t row) {
          const int32_t key = first + int32_t(row);
          return tile::RowPlace{key < exist, rows.key_offset(stride) + key * stride[1]};
        });
  }
};

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(
    kBackwardVariant<kVariant>.tile.keys.threads(),
    kBackwardVariant<kVariant>.tile.keys.blocks) void backward_keys(const BackwardParams b) {
  if constexpr (kIsBackwardCompiled<kVariant>) {
    BackwardKeys<kBackwardVariant<kVariant>>(b).run();
  } else {
    tile::trap();
  }
}

}  // namespace fovea::attention::cuda
