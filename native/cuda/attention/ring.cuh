// Tiles of keys and values on their way: a ring of slots in shared memory, in which tiles of keys and
// of values take turns, from the last tile of a range to its first.
#pragma once

#include "cuda/attention/block_lists.cuh"
#include "cuda/attention/load.cuh"
#include "tile/warp.cuh"

namespace fovea::attention::cuda {

enum class RingItem { kKeys, kValues };

// kFirst comes first of each pair. An item is gone when the one behind its successor is asked for:
// what a round needs longest comes last in it.
template <typename Element, int kKeys, int kDim, int kValueDim, int kSlots, int kThreads,
          RingItem kFirst, bool kGeneral>
class TileRing {
 public:
  static constexpr int kWidest = kDim > kValueDim ? kDim : kValueDim;
  static constexpr int kSlotBytes = kKeys * kWidest * int(sizeof(Element));
  static_assert(kSlots == 2 || kSlots == 3);

  // For the sequence and key head of `rows`, which lie at `shared_rows` too: a register for the number
  // of keys is one too many where they are scarce.
  FOVEA_DEVICE TileRing(const AttentionParams& params, const AttentionRows& rows, uint32_t base,
                        uint32_t shared_rows)
      : p(params),
        ring(base),
        shared(shared_rows),
        keys(KeyCopy::first_source(
            static_cast<const Element*>(p.key) + rows.key_offset(p.spec.key_stride),
            p.spec.key_stride[1])),
        values(ValueCopy::first_source(
            static_cast<const Element*>(p.value) + rows.key_offset(p.spec.value_stride),
            p.spec.value_stride[1])) {}

  // Moves on by `tiles`. The next item of either kind is that of the sequence's first tile, and after it
  // that of the tile before.
  FOVEA_DEVICE void seek(int32_t tiles) {
    keys += int64_t{tiles} * kKeys * p.spec.key_stride[1];
    values += int64_t{tiles} * kKeys * p.spec.value_stride[1];
  }

  // Sends for the first items of the `tiles` visible ones, which begin at `begin`. From here on a tile is
  // counted from there.
  FOVEA_DEVICE void start(int32_t begin, int32_t tiles) {
    slot = 0;
    seek(kGeneral ? place(tiles - 1) : begin + tiles - 1);
    load_ahead<0>(tiles - 1, 0);
    if constexpr (kSlots == 3) load_ahead<1>(tiles - 1, 1);
  }

  // Waits for an item of `tile` and sends for the one that takes the slot before it, which nobody
  // reads any more: all threads have passed the barrier. Returns the item's address. To be called
  // for both items of every tile, in their order.
  template <RingItem kItem>
  FOVEA_DEVICE uint32_t next(int32_t tile) {
    tile::copy_async_wait<kSlots - 2>();
    tile::sync_block();
    load_ahead<(kItem != kFirst) + kSlots - 1>(tile, slot == 0 ? kSlots - 1 : slot - 1);
    const uint32_t address = ring + slot * kSlotBytes;
    slot = slot == kSlots - 1 ? 0 : slot + 1;
    return address;
  }

  // Rows of the next item of a kind, that of `tile`, to `to`, by all threads; not yet waited for.
  // Where kFull, all rows of the tile exist.
  template <RingItem kItem, bool kFull = false>
  FOVEA_DEVICE void load(int32_t tile, uint32_t to) {
    if constexpr (kItem == RingItem::kKeys) {
      load<KeyCopy, kFull>(tile, to, keys, p.spec.key_stride[1], p.head_dim, p.key_copy, p.key);
    } else {
      load<ValueCopy, kFull>(tile, to, values, p.spec.value_stride[1], p.value_head_dim, p.value_copy,
                             p.value);
    }
  }

 private:
  using KeyCopy = tile::TileCopy<kKeys, kDim, kThreads, Element>;
  using ValueCopy = tile::TileCopy<kKeys, kValueDim, kThreads, Element>;
  static constexpr RingItem kSecond =
      kFirst == RingItem::kKeys ? RingItem::kValues : RingItem::kKeys;

  FOVEA_DEVICE int32_t place(int32_t tile) const {
    return place_of<kGeneral>(p.lists, tile, shared);
  }

  template <typename Copy, bool kFull>
  FOVEA_DEVICE void load(int32_t tile, uint32_t to, const Element*& from, int64_t stride, int width,
                         RowCopy copy, const void* tensor) {
    if (kFull && copy.whole) {
      Copy::copy_whole(to, from, stride);
    } else {
      const int32_t length = load_rows_field<offsetof(AttentionRows, key_length)>(shared);
      Copy::copy(to, from, stride, length - place(tile) * kKeys, width, copy.bytes,
                 static_cast<const Element*>(tensor));
    }
    int64_t back = kKeys * stride;
    if constexpr (kGeneral) {
      if (is_listed(shared) && tile > 0) back *= place(tile) - place(tile - 1);
    }
    from = tile::opaque(from - back);
  }

  // Sends for the item that is kAhead behind the first one of `tile`. Only the last tile, which is the
  // first to come, may have fewer rows than others.
  template <int kAhead>
  FOVEA_DEVICE void load_ahead(int32_t tile, int slot_of_item) {
    constexpr int kTiles = kAhead / 2;
    if (tile >= kTiles) {
      load<kAhead % 2 == 0 ? kFirst : kSecond, (kTiles > 0)>(tile - kTiles,
                                                             ring + slot_of_item * kSlotBytes);
    }
    tile::copy_async_commit();  // an empty group too, so that a wait counts items
  }

  const AttentionParams& p;
  const uint32_t ring, shared;
  const Element* keys;  // this thread's first chunk of the next item
  const Element* values;
  int slot;
};

}  // namespace fovea::attention::cuda
