// Fused attention forward for every GPU with mma.sync and cp.async, sm_80 and later (Dao,
// FlashAttention-2, arXiv 2307.08691). A block keeps its query rows in shared memory and walks the
// keys that any of them sees, last tile first; tiles of keys and values take turns in one ring, and
// while one is multiplied the next are on their way. Scores and weights never leave registers.
#pragma once

#include "cuda/attention/cache_ring.cuh"
#include "cuda/attention/gates.cuh"
#include "cuda/attention/output.cuh"
#include "cuda/attention/parts.cuh"
#include "cuda/attention/positions.cuh"
#include "cuda/attention/ring.cuh"
#include "cuda/attention/scaled_weights.cuh"
#include "cuda/attention/scores.cuh"
#include "tile/products.cuh"

namespace fovea::attention::cuda {

template <AttentionVariant kIt>
struct AttentionForward {
  static constexpr Precision kPrecision = kIt.precision;
  static constexpr int kRows = kIt.tile.rows(), kThreads = kIt.tile.threads();
  static constexpr int kKeys = kIt.tile.keys, kSlots = kIt.tile.slots;
  static constexpr int kDim = kIt.tile.head_dim, kValueDim = kIt.tile.value_head_dim;
  static constexpr int kDimBytes = kDim * kIt.element_bytes();
  static constexpr int kValueBytes = kValueDim * kIt.element_bytes();
  static constexpr int kM = kIt.tile.warp_rows / 16;
  static constexpr int kShareKeys = kKeys / kIt.tile.key_shares;
  static constexpr int kKeyColumns = kShareKeys / 8, kOutColumns = kValueDim / 8 / kIt.tile.shares;
  static constexpr int kRowWarps = kIt.tile.warps / (kIt.tile.shares * kIt.tile.key_shares);
  static constexpr bool kHasParts = kIt.part_keys > 0;
  // Queries may be of narrower types than products.
  static constexpr bool kWide = kIt.cached && kPrecision == Precision::kFloat32;
  static constexpr bool kMayWiden = kWide || (kIt.cached && !kIt.positions && kPrecision == Precision::kFloat16);
  static constexpr int kRingOffset = kIt.ring_offset();
  static constexpr int kTilesOffset = kIt.tiles_offset();
  static constexpr int kRowsOffset = kIt.rows_offset(), kScoresOffset = kIt.scores_offset();
  static constexpr int kWarpRows = kIt.tile.warp_rows;
  using Element = typename tile::PrecisionTypes<kPrecision>::Element;
  using Ring = std::conditional_t<
      kIt.cached,
      CacheRing<kPrecision, kKeys, kDim, kValueDim, kSlots, kThreads, kIt.positions>,
      TileRing<Element, kKeys, kDim, kValueDim, kSlots, kThreads, RingItem::kKeys, kIt.general>>;
  static_assert(kIt.tile.warps * kStagedBytes <= kSlots * Ring::kSlotBytes);

  using Positions = PositionTile<kPrecision, kRows, kKeys, kDim, kThreads, kWide>;
  static constexpr int kPositionQueries = kIt.query_bytes(), kBandOffset = kIt.band_offset();
  static constexpr int kStagedOffset = kIt.staged_offset();

  struct ScoreSlots {
    static FOVEA_DEVICE uint32_t address() {
      const uint32_t thread = tile::thread_anew();
      return tile::shared_base() + kScoresOffset +
             4 * (thread / tile::kWarp * kWarpRows + thread % tile::kWarp / 4);
    }
  };
  using Softmax =
      tile::Softmax<kM, kPrecision, kHasParts || !tile::kIsHalf<kPrecision>, ScoreSlots>;
  // Weights of float16 times scales of values leave their type.
  using Scaled = ScaledWeights<kIt.cached && kPrecision == Precision::kFloat16>;

  const AttentionParams& p;
  const ThreadRows mine;
  const uint32_t queries, shared_rows;  // in shared memory
  Ring ring;
  int32_t tiles;  // of keys that any row sees
  [[no_unique_address]] Scaled scaled;

  FOVEA_DEVICE explicit AttentionForward(const AttentionParams& params)
      : AttentionForward(params, locate(params)) {}

  FOVEA_DEVICE void run() {
    if constexpr (kHasParts) {
      run_part();
    } else {
      run_all();
    }
  }

 private:
  FOVEA_DEVICE void run_all() {
    Softmax softmax;
    softmax.start();
    scaled.start(kIt.cached && p.value_scales != nullptr);
    // Once for the sums, and again for the weights where they are wanted, which need the sums: two loops
    // for that had the code of scores twice, 4,400 of 13,400 instructions at D 64.
    FOVEA_NO_UNROLL
    for (bool again = false;; again = true) {
      tile::Fragment<kM, kOutColumns> out = {};
      if (tiles > 0) walk(out, softmax, again);
      if (again) return;
      softmax.finish();
      store(out, softmax);
      if (!kIt.general || (p.weights == nullptr && p.top_weights == nullptr)) return;
      start_weights();
    }
  }

  FOVEA_DEVICE void run_part() {
    Softmax softmax;
    softmax.start();
    scaled.start(p.value_scales != nullptr);
    tile::Fragment<kM, kOutColumns> out = {};
    if (tiles > 0) walk(out, softmax, false);
    softmax.finish();
    store_part(out, softmax);
  }

  // Anew: held through the products of float32, it made D 64 spill 16 bytes and D 128 48 on sm_120.
  static FOVEA_DEVICE uint32_t warp() {
    return (tile::kIsHalf<kPrecision> ? tile::thread_index() : tile::thread_anew()) / tile::kWarp;
  }
  static FOVEA_DEVICE uint32_t warp_row() {
    return (kIt.tile.shares * kIt.tile.key_shares == 1 ? warp() : warp() % kRowWarps) *
           kIt.tile.warp_rows;
  }
  // Which share of a tile's keys this warp has, and its first key.
  static FOVEA_DEVICE uint32_t key_share() {
    return kIt.tile.key_shares == 1 ? 0 : warp() / (kRowWarps * kIt.tile.shares);
  }
  static FOVEA_DEVICE uint32_t share_key() { return key_share() * kShareKeys; }
  // Of this warp's share of the value columns, in pieces of eight.
  static FOVEA_DEVICE uint32_t first_column() {
    if (kIt.tile.shares == 1) return 0;
    const uint32_t share = warp() / kRowWarps;
    return (kIt.tile.key_shares == 1 ? share : share % kIt.tile.shares) * kOutColumns;
  }

  static FOVEA_DEVICE AttentionRows locate(const AttentionParams& params) {
    if constexpr (!kHasParts) return locate_rows<kRows, kIt.cached>(params);
    return PartItem(params).locate(params);
  }

  FOVEA_DEVICE AttentionForward(const AttentionParams& params, AttentionRows rows)
      : p(params),
        mine(warp_row()),
        queries(tile::shared_base()),
        shared_rows(queries + kRowsOffset),
        ring(params, rows_of_keys<kIt.positions>(params, rows), queries + kRingOffset,
             shared_rows) {
    tiles = set_visible_tiles<kKeys>(rows, p);
    if constexpr (kHasParts) tiles = restrict_to_part<kIt.part_keys / kKeys>(rows, tiles, PartItem(p).part);
    if constexpr (kIt.general) {
      tiles = restrict_to_list(p.lists, rows, tiles, tile_of<kRows>(rows));
    }
    if (tile::thread_index() == 0) {
      store_rows(shared_rows, rows);
      if (kIt.general) tile::store_shared(queries + kTilesOffset, uint32_t(tiles));
      if constexpr (kIt.cached) store_seen_keys(p, rows, shared_rows);
    }
    if (tiles > 0) load_queries(rows);
    tile::sync_block();
  }

  FOVEA_DEVICE void load_queries(const AttentionRows& rows) const {
    if constexpr (kMayWiden) {
      if (p.spec.dtype != (kWide ? FOVEA_FLOAT32 : FOVEA_FLOAT16)) {
        return load_wide_rows<kRows, kDim, kThreads, Element>(
            queries, p.query, p.spec.dtype, p.head_dim, [&](uint32_t row, bool& present) {
              present = int32_t(row) < rows.count;
              return present ? rows.offset(p.spec.query_stride, rows.position(row), rows.head(row)) : 0;
            });
      }
    }
    load_rows_tile<kRows, kDim, kThreads>(queries, static_cast<const Element*>(p.query), p.spec.query_stride,
                                          p.head_dim, p.query_copy, rows);
  }

  FOVEA_DEVICE Positions positions() const {
    return {
        p, queries, queries + kPositionQueries, queries + kBandOffset, {queries + kStagedOffset}};
  }
  // Sends for keys of distances.
  FOVEA_DEVICE void load_band(int32_t tile) const {
    if constexpr (kIt.positions) {
      positions().load_band(load_rows(shared_rows), first_key(tile));
      tile::copy_async_commit();
    }
  }

  FOVEA_DEVICE int32_t first_key(int32_t tile) const {
    return first_key_of<kIt.general, kKeys>(p.lists, tile, shared_rows);
  }

  // Of those of a tile that are this warp's.
  FOVEA_DEVICE int32_t first_share_key(int32_t tile) const {
    return first_key(tile) + int32_t(share_key());
  }

  FOVEA_DEVICE void scores(tile::Fragment<kM, kKeyColumns>& s, uint32_t key_tile, int32_t tile) {
    tile::multiply_rows<kPrecision, kDimBytes>(s, queries, warp_row(),
                                               key_tile + share_key() * kDimBytes);
    if constexpr (kIt.cached) {
      if (p.key_scales != nullptr) scale_keys<Ring>(s, key_tile, share_key());
      if (kMayWiden && p.query_scales != nullptr) tile::scale(s, load_query_scale(p, shared_rows));
    }
    if constexpr (kIt.positions) positions().add_scores(s, warp_row());
    const auto places = [&] {
      return RowPlaces{p, shared_rows, mine, first_share_key(tile)};
    };
    if constexpr (kIt.general) {
      ScoreModifier<RowPlaces, kIt.cached>{p, places()}.apply(s);
      if (is_partial(p, p.lists, tile, shared_rows)) hide_gaps(p, places(), s);
    }
    if (is_masked<kIt.general>(p.lists, tile, shared_rows)) mask_scores(p, places(), s);
  }

  FOVEA_DEVICE void start_ring() {
    if constexpr (kIt.positions) {
      tile::copy_async_commit();
      tile::copy_async_wait<0>();
      tile::sync_block();
      positions().add_biases(load_rows(shared_rows));
      load_band(tiles - 1);
    }
    ring.start(load_rows_field<offsetof(AttentionRows, begin)>(shared_rows), tiles);
  }

  FOVEA_DEVICE void walk(tile::Fragment<kM, kOutColumns>& out, Softmax& softmax, bool again) {
    if (!again) start_ring();
    FOVEA_NO_UNROLL
    for (int32_t tile = tiles - 1; tile >= 0; --tile) {
      tile::Fragment<kM, kKeyColumns> s;
      const uint32_t key_tile =
          kIt.general && again ? load_keys(tile) : ring.template next<RingItem::kKeys>(tile);
      scores(s, key_tile, tile);
      if constexpr (kIt.general) {
        if (again) {
          store_weights(s, softmax, tile);
          continue;
        }
      }
      softmax.step(s, p.softmax_scale, out);
      if constexpr (kIt.general) {
        if (p.weight_factors != 0) {
          multiply_weights(s, p, load_rows(shared_rows), mine.anew(), first_share_key(tile));
        }
      }
      const uint32_t value_tile = ring.template next<RingItem::kValues>(tile);
      if (kIt.positions && tile > 0) load_band(tile - 1);  // the last one has been read
      if constexpr (kIt.cached) {
        if (p.value_scales != nullptr) {
          scaled.template multiply<Ring, kShareKeys>(s, out, value_tile, share_key());
        }
      }
      tile::add_weighted_rows<kPrecision, false, kValueBytes>(
          out, s, value_tile + share_key() * kValueBytes, first_column());
    }
  }

  FOVEA_DEVICE void store(const tile::Fragment<kM, kOutColumns>& out, const Softmax& softmax) {
    const AttentionRows rows = load_rows(shared_rows);
    RowResults<kM> results(softmax, kIt.general ? 1.0f : p.spec.scale, p, rows, mine);
    scaled.finish(results.factor);
    tile::sync_block();  // the ring's last readers are done: the sums take its place
    if constexpr (kIt.general) {
      store_gated_rows(out, results, first_column(), queries + kRingOffset + warp() * kStagedBytes, p,
                       rows, warp_row());
    } else {
      store_query_rows({p.out, p.spec.out_dtype, p.value_head_dim, false}, p.spec.out_stride,
                       queries + kRingOffset + warp() * kStagedBytes, out, first_column(),
                       results.factor, true, p, rows, warp_row());
    }
    if (first_column() == 0) store_lse(results, p, rows, mine);
  }

  // Of a part, or where it has all keys, of the rows.
  FOVEA_DEVICE void store_part(tile::Fragment<kM, kOutColumns>& out, const Softmax& softmax)
    requires kHasParts
  {
    scaled.finish(out);
    const AttentionRows rows = load_rows(shared_rows);
    const uint32_t stage = queries + kRingOffset;
    tile::sync_block();  // the ring's last readers are done: the sums take its place
    const SharedSums<kIt> sums{stage};
    sums.put(key_share(), first_column(), out, softmax, rows.count);
    tile::sync_block();
    if (p.parts != nullptr) {
      constexpr int kPieces = PartShape<kIt>::kWarpPieces;
      tile::Fragment<1, kPieces> own;
      const Softmax folded = fold<Softmax>(sums, kIt.tile.key_shares, p.softmax_scale, warp() * kPieces, own);
      const PartItem at(p);
      GlobalSums<kIt>(p, at).put(at.part, warp() * kPieces, own, folded);
      return;
    }
    constexpr int kPieces = PartShape<kIt>::kFoldPieces;
    tile::Fragment<1, kPieces> own = {};
    Softmax folded;
    folded.start();
    const bool is_mine = warp() < PartShape<kIt>::kFoldWarps;
    if (is_mine) folded = fold<Softmax>(sums, kIt.tile.key_shares, p.softmax_scale, warp() * kPieces, own);
    tile::sync_block();
    if (is_mine) {
      store_folded(own, folded, int(warp() * kPieces), stage + warp() * kStagedBytes, p, rows);
    }
  }

  // Before the walk for the weights, or for the largest.
  FOVEA_DEVICE void start_weights() {
    tiles = int32_t(tile::load_shared(queries + kTilesOffset));
    if (tiles > 0) ring.seek((first_key(tiles - 1) - first_key(0)) / kKeys + 1);  // back to the last
    if (first_column() != 0) return;
    if (p.top_weights != nullptr) largest().clear();
    if (p.weights == nullptr) return;
    const AttentionRows rows = load_rows(shared_rows);
    int32_t end = p.key_length;
    FOVEA_NO_UNROLL
    for (int32_t tile = tiles - 1; tile >= -1; --tile) {
      const int32_t first = tile < 0 ? -kKeys : first_key(tile);
      store_no_weights<kM>(p, rows, mine, first + kKeys, end);
      end = first;
    }
  }

  // Keys alone, and waits for them.
  FOVEA_DEVICE uint32_t load_keys(int32_t tile) {
    const uint32_t key_tile = queries + kRingOffset;
    tile::sync_block();  // the slot's last readers are done
    ring.template load<RingItem::kKeys>(tile, key_tile);
    load_band(tile);
    tile::copy_async_commit();
    tile::copy_async_wait<0>();
    if constexpr (kIt.cached) ring.template widen<RingItem::kKeys>(key_tile);
    tile::sync_block();
    return key_tile;
  }

  FOVEA_DEVICE void store_weights(tile::Fragment<kM, kKeyColumns>& s, const Softmax& softmax,
                                  int32_t tile) {
    const AttentionRows rows = load_rows(shared_rows);
    // Anew: held through the products, it made exact float32 of D 256 spill 72 bytes.
    const RowResults<kM> results(softmax, 1.0f, p, rows, mine);
    weigh_tile(s, softmax, results, p, rows, mine);
    if (p.top_weights != nullptr) {
      tile::sync_block();  // the keys have been read
      if (first_column() == 0) largest().add(s, first_key(tile));
    }
    if (p.weights != nullptr && first_column() == 0) {
      store_weights_tile(s, p, rows, mine, first_key(tile));
    }
  }

  FOVEA_DEVICE WarpTopWeights<kM> largest() const {
    return {p, load_rows(shared_rows), warp_row(), queries + kRingOffset + warp() * kStagedBytes};
  }
};

// By index: nvcc's host code does not take a kernel whose template argument is a struct.
template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(
    kAttentionVariant<kVariant>.tile.threads(),
    kAttentionVariant<kVariant>.tile.blocks) void attention_forward(const AttentionParams p) {
  if constexpr (kIsCompiled<kVariant>) {
    AttentionForward<kAttentionVariant<kVariant>>(p).run();
  } else {
    tile::trap();
  }
}

}  // namespace fovea::attention::cuda
