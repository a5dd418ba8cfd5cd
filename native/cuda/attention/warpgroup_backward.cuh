// dkey, dvalue and sums of dquery by warpgroups, for sm_90a: as backward_keys.cuh, a block keeps a tile of keys, and the
// query rows that see them come by. Scores are computed transposed (Shah et al., FlashAttention-3, arXiv 2407.08608,
// section 3), so that weights and score gradients are, packed, factors of the products that follow; of the gradients a
// copy goes to shared memory, for dquery, whose product is no warpgroup's own. The copy engine adds it in memory.
#pragma once

#include "cuda/attention/backward_columns.cuh"
#include "cuda/attention/backward_queries.cuh"
#include "cuda/attention/warpgroup.cuh"
#include "cuda/attention/warpgroup_params.h"
#include "tile/grid.cuh"

namespace fovea::attention::cuda {

// What all warps of a block know alike.
template <WarpgroupKeysVariant kIt>
struct WarpgroupKeysBlock {
  static constexpr int kKeys = kIt.tile.kKeys, kRows = kIt.tile.rows, kStages = kIt.tile.stages;
  static constexpr int kDim = kIt.tile.head_dim, kPieces = kIt.pieces(), kWarps = kIt.warps();
  static constexpr int kConsumerThreads = kIt.tile.kConsumers * kWarpgroup;
  static constexpr int kKeyBytes = kIt.key_bytes(), kRowBytes = kIt.row_bytes();
  static constexpr int kGradientBytes = kIt.gradient_bytes(), kFactsBytes = kIt.facts_bytes();
  static constexpr int kValuesOffset = kIt.values_offset(), kQueriesOffset = kIt.queries_offset();
  static constexpr int kDoutsOffset = kIt.douts_offset(), kGradientsOffset = kIt.gradients_offset();
  static constexpr int kStagedOffset = kIt.staged_offset(), kFactsOffset = kIt.facts_offset();
  static constexpr int kRowsOffset = kIt.rows_offset(), kNormsOffset = kIt.norms_offset();
  static constexpr int kBarriersOffset = kIt.barriers_offset();
  static constexpr bool kHalfRange = kIt.precision == Precision::kFloat16;
  using Step = RingStep<kStages>;

  const WarpgroupBackwardParams& b;
  const AttentionParams& p;

  // The block's keys, from `first_key` on, and how many tiles of rows see any of them.
  FOVEA_DEVICE AttentionRows locate(int32_t& first_key, int32_t& tiles) const {
    const AttentionItem at = locate_item(p);
    AttentionRows rows = locate_pair(p, at.batch, at.key_head);
    set_rows(rows, 0, 0);
    first_key = int32_t(at.tile) * kKeys;
    tiles = set_seeing_tiles<kRows, kKeys>(p, rows, first_key);
    return rows;
  }
  // Of the first row of a tile, in the workspace.
  FOVEA_DEVICE int64_t workspace_tile(const AttentionRows& rows, int32_t tile) const {
    return workspace_row(b, rows, 0, rows.first_head) + int64_t{rows.begin + tile} * kRows;
  }

  static FOVEA_DEVICE uint32_t keys() { return tile::shared_base(); }
  static FOVEA_DEVICE uint32_t values() { return tile::shared_base() + kValuesOffset; }
  static FOVEA_DEVICE uint32_t queries(Step step) {
    return tile::shared_base() + kQueriesOffset + step.stage() * kRowBytes;
  }
  static FOVEA_DEVICE uint32_t douts(Step step) {
    return tile::shared_base() + kDoutsOffset + step.stage() * kRowBytes;
  }
  // Of which there are those of the workspace.
  static FOVEA_DEVICE RowFacts<kRows> facts(Step step) {
    return {tile::shared_base() + kFactsOffset + step.stage() * kFactsBytes};
  }
  static FOVEA_DEVICE tile::Barrier keys_full() { return barrier(0); }
  static FOVEA_DEVICE tile::Barrier queries_full(Step step) { return barrier(1 + step.stage()); }
  static FOVEA_DEVICE tile::Barrier douts_full(Step step) { return barrier(1 + kStages + step.stage()); }
  static FOVEA_DEVICE tile::Barrier stage_free(Step step) { return barrier(1 + 2 * kStages + step.stage()); }

  // By one thread.
  static FOVEA_DEVICE void start_barriers() {
    keys_full().init(1);
    for (Step step; step.count < kStages; ++step.count) {
      queries_full(step).init(1);
      douts_full(step).init(1);
      stage_free(step).init(kWarps);
    }
    tile::Barrier::publish();
  }

 private:
  static FOVEA_DEVICE tile::Barrier barrier(uint32_t index) {
    return {tile::shared_base() + kBarriersOffset + 8 * index};
  }
};

// One thread that asks for keys and values, and keeps the rings of rows full.
template <WarpgroupKeysVariant kIt>
struct WarpgroupKeysProducer : WarpgroupKeysBlock<kIt> {
  using Block = WarpgroupKeysBlock<kIt>;
  using Step = Block::Step;
  using Block::b, Block::p, Block::kRows, Block::kKeys, Block::kPieces, Block::kHalfRange;

  FOVEA_DEVICE void run() const {
    int32_t first_key, tiles;
    AttentionRows rows = this->locate(first_key, tiles);
    if (tiles == 0) return tile::wait_for_last_kernel();
    const int32_t batch = p.spec.packed ? 0 : rows.batch, key = rows.key_start + first_key;
    const tile::Barrier full = Block::keys_full();
    full.arrive_expecting(2 * Block::kKeyBytes);
    FOVEA_UNROLL
    for (int i = 0; i < kPieces; ++i) {
      const int at = i * kKeys * kPieceBytes;
      tile::tma_load(Block::keys() + at, b.key_map, full, {64 * i, key, rows.key_head, batch});
      tile::tma_load(Block::values() + at, b.value_map, full, {64 * i, key, rows.key_head, batch});
    }
    const int64_t workspace = this->workspace_tile(rows, 0);
    const int32_t begin = rows.begin;
    tile::wait_for_last_kernel();  // facts of rows, dout's copy and the zeros that dquery is added to are its work
    FOVEA_NO_UNROLL
    for (Step step; step.count < uint32_t(tiles); ++step.count) {
      const int32_t tile = tiles - 1 - int32_t(step.count);
      set_rows(rows, uint32_t(begin + tile), kRows);
      const int32_t position = rows.query_start + rows.position0;
      const tile::Barrier queries = Block::queries_full(step), douts = Block::douts_full(step);
      Block::stage_free(step).wait(step.parity() ^ 1);
      queries.arrive_expecting(Block::kRowBytes + (kHalfRange ? 3 : 2) * 4 * kRows);
      load(Block::queries(step), b.query_map, queries, position, rows.key_head, batch);
      const int64_t row = workspace + int64_t{tile} * kRows;
      const RowFacts<kRows> facts = Block::facts(step);
      tile::bulk_load(facts.of(kFactLse, 0), b.lse2 + row, 4 * kRows, queries);
      tile::bulk_load(facts.of(kFactDelta, 0), b.delta + row, 4 * kRows, queries);
      if constexpr (kHalfRange) tile::bulk_load(facts.of(kFactNorm, 0), b.norm + row, 4 * kRows, queries);
      douts.arrive_expecting(Block::kRowBytes);
      load(Block::douts(step), b.dout_map, douts, position, rows.key_head, batch);
    }
  }

 private:
  static FOVEA_DEVICE void load(uint32_t to, const TensorMap& map, tile::Barrier full, int32_t position, int32_t head,
                                int32_t batch) {
    FOVEA_UNROLL
    for (int i = 0; i < kPieces; ++i) {
      tile::tma_load(to + i * kRows * kPieceBytes, map, full, {64 * i, 0, position, head, batch});
    }
  }
};

// Where the scores of a thread lie, for the mask: columns of a fragment are rows of a tile.
template <int kRows>
struct TileColumns {
  const AttentionRows& tile_rows;
  ThreadKeys mine;

  FOVEA_DEVICE const AttentionRows& rows() const { return tile_rows; }
  FOVEA_DEVICE int32_t first_key() const { return mine.first; }

  template <RowNeed kNeed, int kM, int kColumns, typename Body>
  FOVEA_DEVICE void each_row(const AttentionRows& rows, Body body) const {
    static_assert(kNeed == RowNeed::kPosition && kM == 1);
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      FOVEA_UNROLL
      for (int e = 0; e < 2; ++e) {
        const uint32_t row = RowFacts<kRows>::row_column(j, e);
        body(PlacedRow{row, int32_t(row) < rows.count, rows.position(row), 0, 0}, [&](auto visit) {
          FOVEA_UNROLL
          for (int h = 0; h < 2; ++h) visit(0, j, 2 * h + e, 8 * h);
        });
      }
    }
  }
};

// A warp of those that multiply: 16 of the 64 keys of its warpgroup.
template <WarpgroupKeysVariant kIt>
struct WarpgroupKeysConsumer : WarpgroupKeysBlock<kIt> {
  using Block = WarpgroupKeysBlock<kIt>;
  using Step = Block::Step;
  using Block::b, Block::p, Block::kRows, Block::kKeys, Block::kDim, Block::kPieces, Block::kHalfRange;
  using Block::kConsumerThreads;
  static constexpr int32_t kOffset = int32_t(kWeightOffset<kIt.precision>);
  static constexpr uint32_t kBarrier = 1;  // of all consumers
  using Element = typename tile::PrecisionTypes<kIt.precision>::Element;
  using Scores = tile::Fragment<1, kRows / 8>;
  using Sums = tile::Fragment<1, kDim / 8>;
  using Factors = uint32_t[kRows / 16][4];

  // Warpgroups have 64 columns of dquery each, or take turns.
  static constexpr bool kTakesTurns = kDim == 64;
  static_assert(kRows == 64 && (kTakesTurns || kDim == 128));
  using QueryPart = tile::Fragment<1, 8>;

  const uint32_t group;  // which warpgroup

  FOVEA_DEVICE void run() const {
    int32_t first_key, tiles;
    {
      const AttentionRows rows = this->locate(first_key, tiles);
      if (is_leader()) store_rows(shared_rows(), rows);
      tile::sync_warp();
    }
    Sums dkey = {}, dvalue = {};
    int32_t shift = kHalfRange ? kMostShift : 0;
    if (tiles > 0) attend(dkey, dvalue, shift, first_key, tiles);
    store_keys({b.dkey, p.spec.gradient_dtype, p.head_dim, p.spec.accumulate != 0}, p.spec.dkey_stride, dkey,
               p.spec.scale, tile::power_of_two(-shift), first_key);
    store_keys({b.dvalue, p.spec.gradient_dtype, p.value_head_dim, p.spec.accumulate != 0}, p.spec.dvalue_stride,
               dvalue, 1.0f, tile::power_of_two(-kOffset), first_key);
  }

 private:
  static FOVEA_DEVICE uint32_t shared_rows() {
    return tile::shared_base() + Block::kRowsOffset + consumer_warp() * kAttentionRowsBytes;
  }
  static FOVEA_DEVICE uint32_t staged() {
    return tile::shared_base() + Block::kStagedOffset + consumer_warp() * kStagedBytes;
  }
  static FOVEA_DEVICE uint32_t gradients(Step step) {
    return tile::shared_base() + Block::kGradientsOffset + step.count % 2 * Block::kGradientBytes;
  }
  static FOVEA_DEVICE void meet() { tile::sync_threads(kBarrier, kConsumerThreads); }

  static FOVEA_DEVICE AttentionRows rows_of(int32_t tile) {
    AttentionRows rows = load_rows(shared_rows());
    set_rows(rows, uint32_t(rows.begin + tile), kRows);
    return rows;
  }

  // Leaves dkey times 2^shift, dvalue times 2^kOffset.
  FOVEA_DEVICE void attend(Sums& dkey, Sums& dvalue, int32_t& shift, int32_t first_key, int32_t tiles) const {
    Block::keys_full().wait(0);
    clear_missing_keys(first_key);
    const float norm = kHalfRange ? value_norm() : 0.0f;
    HeldFactors<kIt.tile.held_keys> keys;
    HeldFactors<kIt.tile.held_values> values;
    keys.template load<kKeys>(Block::keys(), consumer_warp() * 16);
    values.template load<kKeys>(Block::values(), consumer_warp() * 16);
    FOVEA_NO_UNROLL
    for (uint32_t count = 0; count < uint32_t(tiles); ++count) {
      const Step step = {tile::uniform(count)};
      const int32_t tile = tiles - 1 - int32_t(count);
      const RowFacts<kRows> facts = Block::facts(step);
      Scores s, dp;
      Block::queries_full(step).wait(step.parity());
      if (step.count == 0) clear_missing_rows(step, tile);
      if constexpr (kHalfRange) lower_shift(shift, dkey, facts, norm);
      const uint32_t mine = group * 64 * kPieceBytes;
      issue_rows<Element, 2 * kDim, kKeys, kRows>(s, keys, Block::keys() + mine, Block::queries(step));
      Block::douts_full(step).wait(step.parity());
      const bool special = any_special(facts);
      if (special) clear_dead(step, facts);
      issue_rows<Element, 2 * kDim, kKeys, kRows>(dp, values, Block::values() + mine, Block::douts(step));
      differentiate(s, dp, tile, facts, special, tile::power_of_two(shift - kOffset), first_key);
      Factors weights, slopes;
      pack<Element>(weights, s);
      issue_columns<Element, kRows>(dvalue, weights, Block::douts(step));
      pack<Element>(slopes, dp);
      if (b.dquery_sums != nullptr) store_gradients(slopes, step);
      if (b.dquery_sums != nullptr && (!kTakesTurns || group == step.count % 2)) {
        QueryPart dquery;
        issue_queries(dquery, step);
        issue_columns<Element, kRows>(dkey, slopes, Block::queries(step));
        tile::wgmma_wait<1>(flat(dquery));
        add_queries(dquery, tile, tile::power_of_two(-shift));
      } else {
        issue_columns<Element, kRows>(dkey, slopes, Block::queries(step));
      }
      tile::wgmma_wait<0>(flat(dvalue));
      tile::wgmma_wait<0>(flat(dkey));
      release(Block::stage_free(step));
    }
    if (is_leader()) tile::tma_wait_read<0>();
    tile::sync_warp();  // what was on its way has been read: rows of gradients take its place
  }

  // Of a sequence's last keys, and of its last rows, what it does not have may be anything, and zero times a NaN is one.
  FOVEA_DEVICE void clear_missing_keys(int32_t first_key) const {
    const int32_t exist = load_rows_field<offsetof(AttentionRows, key_length)>(shared_rows()) - first_key;
    if (exist >= kKeys) return;
    clear_rows<kPieces, kKeys, kConsumerThreads>(Block::keys(), exist, consumer_thread());
    clear_rows<kPieces, kKeys, kConsumerThreads>(Block::values(), exist, consumer_thread());
    meet();
  }
  FOVEA_DEVICE void clear_missing_rows(Step step, int32_t tile) const {
    const int32_t exist = rows_of(tile).count;
    if (exist >= kRows) return;
    Block::douts_full(step).wait(step.parity());
    clear_rows<kPieces, kRows, kConsumerThreads>(Block::queries(step), exist, consumer_thread());
    clear_rows<kPieces, kRows, kConsumerThreads>(Block::douts(step), exist, consumer_thread());
    meet();
  }
  // As clear_dead_rows() of backward_columns.cuh.
  FOVEA_DEVICE void clear_dead(Step step, RowFacts<kRows> facts) const {
    for (uint32_t n = consumer_thread(); n < kPieces * kRows * 8; n += kConsumerThreads) {
      const uint32_t row = n / 8 % kRows, at = Block::douts(step) + n * 16;
      if (tile::as_float(tile::load_shared(facts.of(kFactLse, row))) != kDeadLse) continue;
      tile::store_shared_quad(at, {0, 0, 0, 0});
    }
    tile::fence_async();
    meet();
  }

  // The largest 2-norm of the block's values, for most_gradient(); rounded up, by more than the sum is rounded down.
  FOVEA_DEVICE float value_norm() const {
    float squares = 0;
    const uint32_t key = consumer_thread();
    if (key < kKeys) {
      FOVEA_NO_UNROLL
      for (uint32_t chunk = 0; chunk < kPieces * 8; ++chunk) {
        uint32_t words[4];
        tile::load_shared_quad(
            Block::values() + chunk / 8 * kKeys * kPieceBytes + key * kPieceBytes + (chunk ^ key) % 8 * 16, words);
        FOVEA_UNROLL
        for (int e = 0; e < 8; ++e) {
          const float x = tile::element<Element>(words, e);
          squares = tile::fused_multiply_add(x, x, squares);
        }
      }
    }
    const uint32_t norms = tile::shared_base() + Block::kNormsOffset;
    squares = tile::warp_max(squares);
    if (is_leader()) tile::store_shared(norms + 4 * consumer_warp(), tile::as_bits(squares));
    meet();
    FOVEA_UNROLL
    for (int i = 0; i < Block::kWarps; ++i) {
      squares = tile::maximum(squares, tile::as_float(tile::load_shared(norms + 4 * i)));
    }
    return tile::square_root(squares) * (1 + 0x1p-12f);
  }

  // From scores and <value, dout> to weights and score gradients.
  FOVEA_DEVICE void differentiate(Scores& s, Scores& dp, int32_t tile, RowFacts<kRows> facts, bool special, float unit,
                                  int32_t first_key) const {
    tile::wgmma_wait<1>(flat(s));
    uint32_t hidden = 0;  // a bit for each element: what its row does not see reaches no gradient, NaN or not
    if (fovea::cuda::is_masked(tile, shared_rows())) {
      const AttentionRows rows = rows_of(tile);
      mask_scores(p, TileColumns<kRows>{rows, ThreadKeys(first_key + int32_t(consumer_warp() * 16))}, s);
      tile::each_element<1, kRows / 8>([&](int, int j, int e) {
        hidden |= uint32_t(s[0][j][e] == -tile::kInfinity) << (4 * j + e);
      });
    }
    if (special) rebase_columns(s, b, this->workspace_tile(load_rows(shared_rows()), tile), facts);
    weigh(s, facts);
    tile::wgmma_wait<0>(flat(dp));
    if (hidden != 0) {
      tile::each_element<1, kRows / 8>([&](int, int j, int e) {
        if (hidden >> (4 * j + e) & 1) dp[0][j][e] = 0;
      });
    }
    FOVEA_UNROLL
    for (int j = 0; j < kRows / 8; ++j) {
      float delta[2];
      load_delta<kOffset>(facts, j, unit, delta);
      FOVEA_UNROLL
      for (int e = 0; e < 2; ++e) {
        tile::each_of_column(dp, j, e, [&](float& x, int i, int h) {
          x = s[i][j][2 * h + e] * less<kOffset>(x, delta[e], unit);
        });
      }
    }
  }

  FOVEA_DEVICE void weigh(Scores& s, RowFacts<kRows> facts) const {
    FOVEA_UNROLL
    for (int j = 0; j < kRows / 8; ++j) {
      float lse2[2];
      facts.load(kFactLse, j, lse2);
      FOVEA_UNROLL
      for (int e = 0; e < 2; ++e) {
        tile::each_of_column(s, j, e, [&](float& x, int, int) {
          x = weight_of<false, kOffset>(x, p.softmax_scale, lse2[e]);
        });
      }
    }
  }

  // Of the warp's keys, where the products of both warpgroups find them: a row of 128 bytes a key.
  FOVEA_DEVICE void store_gradients(const Factors& slopes, Step step) const {
    const uint32_t lane = tile::thread_anew() % tile::kWarp, matrix = lane / 8;
    const uint32_t key = consumer_warp() * 16 + matrix % 2 * 8 + lane % 8;
    const uint32_t to = gradients(step) + key * kPieceBytes;
    FOVEA_UNROLL
    for (int k = 0; k < kRows / 16; ++k) {
      tile::store_matrices<1>(slopes[k], {to + ((2 * k + matrix / 2) ^ key % 8) * 16});
    }
    tile::fence_async();
    meet();
  }

  FOVEA_DEVICE void issue_queries(QueryPart& dquery, Step step) const {
    const uint32_t part = kTakesTurns ? 0 : group * kKeys * kPieceBytes;
    issue_transposed<Element, kKeys>(dquery, gradients(step), Block::keys() + part);
  }

  // To the sums in memory, whose pieces QuerySums says.
  FOVEA_DEVICE void add_queries(QueryPart& dquery, int32_t tile, float unit) const {
    if constexpr (kHalfRange) tile::scale(dquery, unit);
    const uint32_t lane = tile::thread_anew() % tile::kWarp;
    if (is_leader()) tile::tma_wait_read<0>();
    tile::sync_warp();
    FOVEA_UNROLL
    for (int j = 0; j < 8; ++j) {
      const uint32_t quad[4] = {tile::as_bits(dquery[0][j][0]), tile::as_bits(dquery[0][j][1]),
                                tile::as_bits(dquery[0][j][2]), tile::as_bits(dquery[0][j][3])};
      tile::store_shared_quad(staged() + j * 16 * tile::kWarp + lane * 16, quad);
    }
    tile::fence_async();
    tile::sync_warp();
    if (!is_leader()) return;
    const uint32_t piece = consumer_warp() % 4 * (kDim / 8) + (kTakesTurns ? 0 : 8 * group);
    const int64_t row = this->workspace_tile(load_rows(shared_rows()), tile);
    tile::bulk_add(b.dquery_sums + row * kDim + piece * 4 * tile::kWarp, staged(), kStagedBytes);
    tile::tma_commit();
  }

  // As BackwardKeys::store_keys.
  FOVEA_DEVICE void store_keys(const tile::RowsOut& out, const int64_t (&stride)[3], const Sums& sums, float factor,
                               float unit, int32_t first_key) const {
    const AttentionRows rows = load_rows(shared_rows());
    const int32_t exist = p.spec.accumulate ? rows.key_length : key_rows(p, rows.batch);
    const int32_t first = first_key + int32_t(consumer_warp() * 16);
    const ThreadKeys mine(first);
    tile::store_sums(
        out, staged(), sums, 0,
        [&](int i, int h, float x) { return mine.key(i, h) < rows.key_length ? x * unit * factor : 0.0f; },
        [&](uint32_t row) {
          const int32_t key = first + int32_t(row);
          return tile::RowPlace{key < exist, rows.key_offset(stride) + key * stride[1]};
        });
  }
};

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kWarpgroupKeysVariant<kVariant>.tile.threads(), 1) void warpgroup_backward_keys(
    FOVEA_GRID_CONSTANT WarpgroupBackwardParams b) {
#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
  constexpr WarpgroupKeysVariant kIt = kWarpgroupKeysVariant<kVariant>;
  tile::let_next_kernel_start();
  run_block<WarpgroupKeysProducer<kIt>, WarpgroupKeysConsumer<kIt>, kIt.tile.producer_registers,
            kIt.tile.consumer_registers>(WarpgroupKeysBlock<kIt>{b, b.forward});
#else
  tile::trap();  // the planner gives it to no other device
#endif
}

}  // namespace fovea::attention::cuda
