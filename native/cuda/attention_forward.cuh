// Fused attention forward for every GPU with mma.sync and cp.async, sm_80 and later (Dao,
// FlashAttention-2, arXiv 2307.08691). A block keeps its query rows in shared memory and walks the
// keys that any of them sees, last tile first; tiles of keys and values take turns in one ring, and
// while one is multiplied the next are on their way. Scores and weights never leave registers.
#pragma once

#include "cuda/attention_load.cuh"
#include "cuda/attention_output.cuh"
#include "cuda/attention_products.cuh"
#include "cuda/attention_scores.cuh"

namespace fovea {

template <int kVariant>
struct AttentionForward {
  static constexpr AttentionVariant kIt = kAttentionVariants[kVariant];
  static constexpr Precision kPrecision = kIt.precision;
  static constexpr int kRows = kIt.tile.rows(), kThreads = kIt.tile.threads();
  static constexpr int kKeys = kIt.tile.keys, kSlots = kIt.tile.slots;
  static constexpr int kDim = kIt.tile.head_dim, kValueDim = kIt.tile.value_head_dim;
  static constexpr int kDimBytes = kDim * kIt.element_bytes();
  static constexpr int kValueBytes = kValueDim * kIt.element_bytes();
  static constexpr int kM = kIt.tile.warp_rows / 16;
  static constexpr int kKeyColumns = kKeys / 8, kOutColumns = kValueDim / 8 / kIt.tile.shares;
  static constexpr int kRowWarps = kIt.tile.warps / kIt.tile.shares;
  static constexpr int kQueryBytes = kIt.query_bytes(), kSlotBytes = kIt.slot_bytes();
  static constexpr int kRowsOffset = kIt.rows_offset();
  using Element = typename Operands<kPrecision>::Element;

  const AttentionParams& p;
  const ThreadRows mine;
  const uint32_t queries, ring, shared_rows;  // in shared memory
  int32_t key_length;
  const Element* keys;
  const Element* values;
  int32_t begin, end;  // tiles of keys that any row sees

  FOVEA_DEVICE explicit AttentionForward(const AttentionParams& params)
      : p(params),
        mine(warp_row()),
        queries(tile::shared_base()),
        ring(queries + kQueryBytes),
        shared_rows(queries + kRowsOffset) {
    AttentionRows rows = locate_rows<kRows>(p, p.first_item + tile::block_index());
    key_length = rows.key_length;
    keys = static_cast<const Element*>(p.key) + rows.key_offset(p.key_stride);
    values = static_cast<const Element*>(p.value) + rows.key_offset(p.value_stride);
    begin = end = rows.full_begin = rows.full_end = 0;
    if (rows.count > 0) {
      const int32_t first = rows.position(0), last = rows.position(rows.count - 1);
      begin = rows.low(p, first) / kKeys;
      end = (rows.high(p, last) + kKeys - 1) / kKeys;
      rows.full_begin = (rows.low(p, last) + kKeys - 1) / kKeys;
      rows.full_end = rows.high(p, first) / kKeys;
    }
    if (tile::thread_index() == 0) store_rows(shared_rows, rows);
    if (begin < end) load_queries<kRows, kDim, kThreads, Element>(queries, p, rows);
    tile::sync_block();
  }

  FOVEA_DEVICE void run() {
    float out[kM][kOutColumns][4] = {};
    tile::Softmax<kM> softmax;
    softmax.start();
    if (begin < end) attend(out, softmax);
    softmax.finish();
    const AttentionRows rows = load_rows(shared_rows);
    RowResults<kM> results(softmax, p, rows, mine);
    store_out(out, results, p, rows, mine, first_column());
    if (first_column() == 0) store_lse(results, p, rows, mine);
    if constexpr (kIt.general) {
      if (p.weights != nullptr) store_weights(results);
    }
  }

 private:
  static FOVEA_DEVICE uint32_t warp() { return tile::thread_index() / tile::kWarp; }
  static FOVEA_DEVICE uint32_t warp_row() {
    return (kIt.tile.shares == 1 ? warp() : warp() % kRowWarps) * kIt.tile.warp_rows;
  }
  // Of this warp's share of the value columns, in pieces of eight.
  static FOVEA_DEVICE uint32_t first_column() {
    return kIt.tile.shares == 1 ? 0 : warp() / kRowWarps * kOutColumns;
  }

  // Items of the ring: a tile of keys, its values, the next tile of keys, and so on.
  enum Item { kKeyItem, kValueItem };

  template <int kItem>
  FOVEA_DEVICE void load_item(int32_t tile, int slot) {
    if (tile >= begin) {
      const uint32_t to = ring + slot * kSlotBytes;
      if constexpr (kItem == kKeyItem) {
        load_tile<kKeys, kDim, kThreads>(to, keys, p.key_stride[1], tile * kKeys, key_length,
                                         p.head_dim, p.key_copy);
      } else {
        load_tile<kKeys, kValueDim, kThreads>(to, values, p.value_stride[1], tile * kKeys,
                                              key_length, p.value_head_dim, p.value_copy);
      }
    }
    tile::copy_async_commit();  // an empty group too, so that a wait counts items
  }

  // Sends for the item that is kAhead behind the keys of `tile`.
  template <int kAhead>
  FOVEA_DEVICE void load_ahead(int32_t tile, int slot) {
    load_item<kAhead % 2>(tile - kAhead / 2, slot);
  }

  // Waits for an item of `tile` and sends for the one that takes the slot before it, which nobody
  // reads any more: all threads have passed the barrier. Returns the item's address.
  template <int kItem>
  FOVEA_DEVICE uint32_t next_item(int32_t tile, int& slot) {
    tile::copy_async_wait<kSlots - 2>();
    tile::sync_block();
    load_ahead<kItem + kSlots - 1>(tile, slot == 0 ? kSlots - 1 : slot - 1);
    const uint32_t address = ring + slot * kSlotBytes;
    slot = slot == kSlots - 1 ? 0 : slot + 1;
    return address;
  }

  FOVEA_DEVICE void scores(float (&s)[kM][kKeyColumns][4], uint32_t key_tile, int32_t tile) {
    multiply_queries_keys<kPrecision, kDimBytes>(s, queries, warp_row(), key_tile);
    const int32_t first_key = tile * kKeys;
    if constexpr (kIt.general) {
      transform_scores(s, p, shared_rows, mine, first_key);
    }
    if (tile < load_rows_field<offsetof(AttentionRows, full_begin)>(shared_rows) ||
        tile >= load_rows_field<offsetof(AttentionRows, full_end)>(shared_rows)) {
      mask_scores(s, p, load_rows(shared_rows), mine.anew(), first_key);
    }
  }

  FOVEA_DEVICE void attend(float (&out)[kM][kOutColumns][4], tile::Softmax<kM>& softmax) {
    static_assert(kSlots == 2 || kSlots == 3);
    load_ahead<0>(end - 1, 0);
    if constexpr (kSlots == 3) load_ahead<1>(end - 1, 1);
    int slot = 0;
    FOVEA_NO_UNROLL
    for (int32_t tile = end - 1; tile >= begin; --tile) {
      float s[kM][kKeyColumns][4];
      scores(s, next_item<kKeyItem>(tile, slot), tile);
      softmax.template step<kIt.general>(s, p.softmax_scale, out);
      if constexpr (kIt.general) {
        if (p.dropout_threshold != 0)
          drop_weights(s, p, load_rows(shared_rows), mine.anew(), tile * kKeys);
      }
      const uint32_t value_tile = next_item<kValueItem>(tile, slot);
      if constexpr (kIsHalf<kPrecision>) {
        multiply_weights_values_half<kPrecision, kValueBytes>(out, s, value_tile, first_column());
      } else {
        multiply_weights_values_float<kPrecision, kValueBytes>(out, s, value_tile, first_column());
      }
    }
  }

  // The weights themselves, once their sums are known: the scores a second time, from keys alone.
  FOVEA_DEVICE void store_weights(const RowResults<kM>& results) {
    const int32_t tiles = (p.key_length + kKeys - 1) / kKeys;
    FOVEA_NO_UNROLL
    for (int32_t tile = 0; tile < tiles; ++tile) {
      float s[kM][kKeyColumns][4];
      const bool seen = tile >= begin && tile < end;
      if (seen) {
        tile::sync_block();  // the slot's last readers are done
        load_tile<kKeys, kDim, kThreads>(ring, keys, p.key_stride[1], tile * kKeys, key_length,
                                         p.head_dim, p.key_copy);
        tile::copy_async_commit();
        tile::copy_async_wait<0>();
        tile::sync_block();
        scores(s, ring, tile);
      }
      if (first_column() == 0)
        store_weights_tile(s, seen, results, p, load_rows(shared_rows), mine, tile * kKeys);
    }
  }
};

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(
    AttentionForward<kVariant>::kThreads,
    AttentionForward<kVariant>::kIt.tile.blocks) void attention_forward(const AttentionParams p) {
  AttentionForward<kVariant>(p).run();
}

}  // namespace fovea
