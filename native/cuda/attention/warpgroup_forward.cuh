// Fused attention forward by warpgroups, for sm_90a (Shah et al., FlashAttention-3, arXiv 2407.08608): one thread asks
// the copy engine for tiles of keys and values, warpgroups multiply them, and a multiprocessor's one block takes one
// tile of query rows after another. While the weights of a tile of keys are multiplied with its values, the scores of
// the next are made, and turned to weights; warpgroups take turns to give the tensor cores work, so that one computes
// exponentials while those of another multiply.
#pragma once

#include "cuda/attention/block_lists.cuh"
#include "cuda/attention/output.cuh"
#include "cuda/attention/warpgroup.cuh"
#include "cuda/attention/warpgroup_params.h"
#include "cuda/attention/warpgroup_sums.cuh"
#include "cuda/attention/warpgroup_values.cuh"
#include "tile/grid.cuh"

namespace fovea::attention::cuda {

// Barriers of threads: one for each consumer's turn, and one for all of them.
constexpr uint32_t kTurnBarrier = 1, kConsumersBarrier = 5;

// What all warps of a block know alike.
template <WarpgroupVariant kIt>
struct WarpgroupBlock {
  static constexpr int kRows = kIt.tile.rows(), kKeys = kIt.tile.keys, kStages = kIt.tile.stages;
  static constexpr int kConsumers = kIt.tile.consumers, kWarps = kIt.warps();
  static constexpr int kDim = kIt.tile.head_dim, kValueDim = kIt.tile.value_head_dim;
  static constexpr int kPieces = kIt.pieces(kDim), kValuePieces = kIt.pieces(kValueDim);
  static constexpr int kPieceColumns = kIt.piece_columns(), kDimBytes = kDim * kIt.element_bytes();
  static constexpr bool kTransposes = kIt.has_transposed_values();
  static constexpr bool kOutOverQueries = kIt.tile.out_over_queries;
  // Whether the place of queries is free once they are in registers.
  static constexpr bool kHoldsQueries = kIt.tile.held * 32 == kDimBytes && !kOutOverQueries;
  static constexpr int kQueryBytes = kIt.query_bytes(), kKeyBytes = kIt.key_bytes(), kValueBytes = kIt.value_bytes();
  static constexpr int kKeysOffset = kIt.keys_offset(), kValuesOffset = kIt.values_offset();
  static constexpr int kStagedOffset = kIt.staged_offset(), kRowsOffset = kIt.rows_offset();
  static constexpr int kScoresOffset = kIt.scores_offset(), kBarriersOffset = kIt.barriers_offset();
  using Step = RingStep<kStages>;

  const WarpgroupParams& p;

  // Every other round from the last block to the first, so that none has the longest item of each.
  FOVEA_DEVICE uint32_t item(uint32_t round) const {
    const uint32_t blocks = uint32_t(p.blocks), block = tile::block_index();
    return round * blocks + (round % 2 == 0 ? block : blocks - 1 - block);
  }

  // Where rows of out take their place, queries of every item are asked for: of one that sees no key, too, they are
  // where its zeros go.
  static FOVEA_DEVICE bool has_queries(int32_t tiles) { return kOutOverQueries || tiles > 0; }

  // Rows of an item, the last tile of queries first, and how many tiles of keys they see.
  FOVEA_DEVICE AttentionRows locate(uint32_t item, int32_t& tiles) const {
    const AttentionItem at = locate_item(p, item);
    AttentionRows rows = locate_pair(p, at.batch, at.key_head);
    set_rows(rows, uint32_t(p.tiles) - 1 - at.tile, kRows);
    tiles = set_visible_tiles<kKeys>(rows, p);
    return rows;
  }

  static FOVEA_DEVICE uint32_t queries() { return tile::shared_base(); }
  static FOVEA_DEVICE uint32_t keys(Step step) {
    return tile::shared_base() + kKeysOffset + step.stage() * kKeyBytes;
  }
  static FOVEA_DEVICE uint32_t values(Step step) {
    return tile::shared_base() + kValuesOffset + step.stage() * kValueBytes;
  }
  static FOVEA_DEVICE tile::Barrier queries_full() { return barrier(0); }
  static FOVEA_DEVICE tile::Barrier queries_free() { return barrier(1); }
  static FOVEA_DEVICE tile::Barrier keys_full(Step step) { return barrier(2 + step.stage()); }
  static FOVEA_DEVICE tile::Barrier keys_free(Step step) { return barrier(2 + kStages + step.stage()); }
  static FOVEA_DEVICE tile::Barrier values_full(Step step) { return barrier(2 + 2 * kStages + step.stage()); }
  static FOVEA_DEVICE tile::Barrier values_free(Step step) { return barrier(2 + 3 * kStages + step.stage()); }

  // By one thread.
  static FOVEA_DEVICE void start_barriers() {
    queries_full().init(1);
    queries_free().init(kWarps);
    for (Step step; step.count < kStages; ++step.count) {
      keys_full(step).init(1);
      values_full(step).init(1);
      keys_free(step).init(kWarps);
      values_free(step).init(kWarps);
    }
    tile::Barrier::publish();
  }

 private:
  static FOVEA_DEVICE tile::Barrier barrier(uint32_t index) {
    return {tile::shared_base() + kBarriersOffset + 8 * index};
  }
};

// One thread that keeps the rings full.
template <WarpgroupVariant kIt>
struct WarpgroupProducer : WarpgroupBlock<kIt> {
  using Block = WarpgroupBlock<kIt>;
  using Step = Block::Step;
  using Block::p, Block::kRows, Block::kKeys;

  FOVEA_DEVICE void run() const {
    Step keys, values;
    if (Block::kTransposes) tile::wait_for_last_kernel();
    uint32_t loaded = 0;  // tiles of queries
    FOVEA_NO_UNROLL
    for (uint32_t round = 0; this->item(round) < uint32_t(p.items); ++round) {
      int32_t tiles;
      const AttentionRows rows = this->locate(this->item(round), tiles);
      if (!Block::has_queries(tiles)) continue;
      const int32_t batch = p.spec.packed ? 0 : rows.batch;
      const tile::Barrier full = Block::queries_full();
      Block::queries_free().wait(loaded++ % 2 ^ 1);
      full.arrive_expecting(Block::kQueryBytes);
      FOVEA_UNROLL
      for (int i = 0; i < Block::kPieces; ++i) {
        tile::tma_load(Block::queries() + i * kRows * kPieceBytes, p.query_map, full,
                       {Block::kPieceColumns * i, 0, rows.query_start + rows.position0, rows.key_head, batch});
      }
      // Values behind the keys of the next tile: asked for in the order in which they are needed.
      const int32_t head = int32_t(divide(uint32_t(rows.key_head), p.key_group));
      int32_t first = rows.key_start + (rows.begin + tiles - 1) * kKeys;
      FOVEA_NO_UNROLL
      for (int32_t tile = tiles; tiles > 0 && tile >= 0; --tile, first -= kKeys) {
        if (tile > 0) {
          Block::keys_free(keys).wait(keys.parity() ^ 1);
          load<Block::kPieces>(Block::keys(keys), p.key_map, Block::keys_full(keys), first, head, batch);
          ++keys.count;
        }
        if (tile < tiles) {
          Block::values_free(values).wait(values.parity() ^ 1);
          load_values(values, rows, first + kKeys, head, batch);
          ++values.count;
        }
      }
    }
  }

 private:
  FOVEA_DEVICE void load_values(Step step, const AttentionRows& rows, int32_t key, int32_t head, int32_t batch) const {
    const tile::Barrier full = Block::values_full(step);
    if constexpr (Block::kTransposes) {
      const int32_t tile = first_transposed(p, rows) + (key - rows.key_start) / kKeys;
      full.arrive_expecting(Block::kValueBytes);
      tile::tma_load(Block::values(step), p.value_map, full, {0, 0, head, tile});
    } else {
      load<Block::kValuePieces>(Block::values(step), p.value_map, full, key, head, batch);
    }
  }

  template <int kPieces>
  static FOVEA_DEVICE void load(uint32_t to, const TensorMap& map, tile::Barrier full, int32_t key, int32_t head,
                                int32_t batch) {
    full.arrive_expecting(kPieces * kKeys * kPieceBytes);
    FOVEA_UNROLL
    for (int i = 0; i < kPieces; ++i) {
      tile::tma_load(to + i * kKeys * kPieceBytes, map, full, {Block::kPieceColumns * i, key, head, batch});
    }
  }
};

// A warp of those that multiply: 16 of the 64 rows of its warpgroup, which issues products together.
template <WarpgroupVariant kIt>
struct WarpgroupConsumer : WarpgroupBlock<kIt> {
  using Block = WarpgroupBlock<kIt>;
  using Step = Block::Step;
  using Block::p, Block::kRows, Block::kKeys, Block::kConsumers;
  using Element = typename tile::PrecisionTypes<kIt.precision>::Element;

  using Scores = tile::Fragment<1, kKeys / 8>;
  using Sums = ValueSums<kIt>;
  using Weights = Sums::Weights;
  using Queries = HeldFactors<kIt.tile.held>;
  struct ScoreSlots {
    static FOVEA_DEVICE uint32_t address() {
      const uint32_t thread = consumer_thread();
      return tile::shared_base() + Block::kScoresOffset +
             4 * (thread / tile::kWarp * 16 + thread % tile::kWarp / 4);
    }
  };
  const uint32_t group;  // which warpgroup

  using Softmax = tile::Softmax<1, kIt.precision, false, ScoreSlots>;

  FOVEA_DEVICE void run() const {
    Step step;
    uint32_t loaded = 0;  // tiles of queries
    if (group == kConsumers - 1) pass_turn();  // the first is the first
    FOVEA_NO_UNROLL
    for (uint32_t round = 0; this->item(round) < uint32_t(p.items); ++round) {
      int32_t tiles;
      {
        const AttentionRows rows = this->locate(this->item(round), tiles);
        if (is_leader()) store_rows(shared_rows(), rows);
        tile::sync_warp();
      }
      Softmax softmax;
      softmax.start();
      Sums sums;
      const float scale = load_scale();
      if (Block::has_queries(tiles)) Block::queries_full().wait(loaded++ % 2);
      if (tiles > 0) walk(sums, softmax, scale, step, tiles);
      softmax.finish();
      if (Block::kOutOverQueries) meet();  // all have read them
      store(sums.all, softmax, scale);
      if (Block::kOutOverQueries) {
        tile::fence_async();
        tile::sync_warp();
        release(Block::queries_free());
      }
    }
  }

 private:
  static FOVEA_DEVICE uint32_t shared_rows() {
    return tile::shared_base() + Block::kRowsOffset + consumer_warp() * kAttentionRowsBytes;
  }

  FOVEA_DEVICE void take_turn() const { tile::sync_threads(kTurnBarrier + group, 2 * kWarpgroup); }
  FOVEA_DEVICE void pass_turn() const {
    const uint32_t next = group == kConsumers - 1 ? 0 : group + 1;
    tile::arrive_threads(kTurnBarrier + next, 2 * kWarpgroup);
  }
  static FOVEA_DEVICE void meet() { tile::sync_threads(kConsumersBarrier, kConsumers * kWarpgroup); }

  // Of scores, to natural units. Not 0, which infinity times is a NaN: scores that it is nothing of are then.
  FOVEA_DEVICE float load_scale() const {
    if constexpr (Block::kTransposes) {
      const float scale = load_score_scale(p, shared_rows());
      return scale == 0 ? 0x1p-120f : scale;
    } else {
      return p.spec.scale;
    }
  }

  FOVEA_DEVICE void walk(Sums& sums, Softmax& softmax, float scale, Step& step, int32_t tiles) const {
    Scores s;
    Weights weights;
    Queries queries;
    queries.template load<kRows>(Block::queries(), consumer_warp() * 16);
    if (Block::kHoldsQueries) {
      tile::sync_warp();
      release(Block::queries_free());
    }
    take_turn();
    issue_scores(s, queries, step);
    pass_turn();
    tile::wgmma_wait<0>(flat(s));
    release(Block::keys_free(step));
    mask(s, scale, tiles - 1);
    softmax.step_with(s, log2_scale(scale), [](int, int, float) {});  // there are no sums yet
    Sums::pack(weights, s);
    if (!Block::kTransposes) clear_missing(step, tiles - 1);
    FOVEA_NO_UNROLL
    for (int32_t tile = tiles - 2; tile >= 0; --tile) {
      const Step next = {tile::uniform(step.count + 1)}, now = {next.count - 1};
      take_turn();
      issue_scores(s, queries, next);
      issue_sums(sums, weights, now);
      pass_turn();
      tile::wgmma_wait<1>(flat(s));
      release(Block::keys_free(next));
      mask(s, scale, tile);
      float decay[2] = {1, 1};
      const bool moves = softmax.step_with(s, log2_scale(scale), [&](int, int h, float by) { decay[h] = by; });
      sums.wait();
      release(Block::values_free(now));
      if (moves) tile::each_row<1>([&](int i, int h) { sums.scale_row(i, h, decay[h]); });
      sums.end_tile();
      Sums::pack(weights, s);
      step = next;
    }
    if (!Block::kOutOverQueries && !Block::kHoldsQueries) release(Block::queries_free());
    issue_sums(sums, weights, step);
    sums.wait();
    sums.end();
    release(Block::values_free(step));
    ++step.count;
  }

  FOVEA_DEVICE void issue_scores(Scores& s, const Queries& queries, Step step) const {
    Block::keys_full(step).wait(step.parity());
    issue_rows<Element, Block::kDimBytes, kRows, kKeys>(s, queries, Block::queries() + group * 64 * kPieceBytes,
                                                        Block::keys(step));
  }

  static FOVEA_DEVICE void issue_sums(Sums& sums, const Weights& weights, Step step) {
    Block::values_full(step).wait(step.parity());
    sums.issue(weights, Block::values(step));
  }

  FOVEA_DEVICE float log2_scale(float scale) const {
    return Block::kTransposes ? __builtin_fabsf(scale) * float(kLog2e) : p.softmax_scale;
  }

  // Rows of the last tile of values that the sequence does not have may hold anything, and zero times a NaN is one.
  FOVEA_DEVICE void clear_missing(Step step, int32_t tile) const {
    const int32_t length = load_rows_field<offsetof(AttentionRows, key_length)>(shared_rows());
    const int32_t first = first_key(tile), missing = first + kKeys - length;
    if (missing <= 0) return;
    Block::values_full(step).wait(step.parity());
    clear_rows<Block::kValuePieces, kKeys, kConsumers * kWarpgroup>(Block::values(step), kKeys - missing,
                                                                    consumer_thread());
    meet();
  }

  static FOVEA_DEVICE int32_t first_key(int32_t tile) { return fovea::cuda::first_key_of<kKeys>(tile, shared_rows()); }

  // The softmax takes a scale above 0.
  FOVEA_DEVICE void mask(Scores& s, float scale, int32_t tile) const {
    if (Block::kTransposes && scale < 0) tile::scale(s, -1.0f);
    if (!fovea::cuda::is_masked(tile, shared_rows())) return;
    const ThreadRows mine(consumer_warp() * 16);
    mask_scores(p, RowPlaces{p, shared_rows(), mine, first_key(tile)}, s);
  }

  FOVEA_DEVICE void store(const Sums::Sums& out, const Softmax& softmax, float scale) const {
    const AttentionRows rows = load_rows(shared_rows());
    const ThreadRows mine(consumer_warp() * 16);
    RowResults<1> results(softmax, Block::kTransposes ? __builtin_fabsf(scale) : p.spec.scale, p, rows, mine);
    if constexpr (Block::kTransposes) {
      const float values = load_value_scale(p, shared_rows());
      // A row that sees no key is 0, whatever the scale.
      tile::each_row<1>([&](int i, int h) { results.factor[i][h] *= results.factor[i][h] == 0 ? 1 : values; });
    }
    store_query_rows({p.out, p.spec.out_dtype, p.value_head_dim, false}, p.spec.out_stride,
                     tile::shared_base() + Block::kStagedOffset + consumer_warp() * kStagedBytes, out, 0,
                     results.factor, true, p, rows, consumer_warp() * 16);
    store_lse(results, p, rows, mine);
  }
};

template <WarpgroupVariant kIt>
FOVEA_DEVICE void run_warpgroups(const WarpgroupParams& p) {
#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
  run_block<WarpgroupProducer<kIt>, WarpgroupConsumer<kIt>, kIt.tile.producer_registers, kIt.tile.consumer_registers>(
      WarpgroupBlock<kIt>{p});
#else
  tile::trap();  // the planner gives it to no other device
#endif
}

// By index: nvcc's host code does not take a kernel whose template argument is a struct.
template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kWarpgroupVariant<kVariant>.tile.threads(), 1) void warpgroup_forward(
    FOVEA_GRID_CONSTANT WarpgroupParams p) {
  run_warpgroups<kWarpgroupVariant<kVariant>>(p);
}

}  // namespace fovea::attention::cuda
