// Tiles of keys and values on their way: a ring of slots in shared memory, in which tiles of keys and
// of values take turns, from the last tile of a range to its first.
#pragma once

#include "cuda/attention_load.cuh"

namespace fovea {

enum class RingItem { kKeys, kValues };

// kFirst comes first of each pair. An item is gone when the one behind its successor is asked for:
// what a round needs longest comes last in it. The number of keys is the caller's to keep: where every
// register counts, in shared memory.
template <typename Element, int kKeys, int kDim, int kValueDim, int kSlots, int kThreads,
          RingItem kFirst>
class TileRing {
 public:
  static constexpr int kWidest = kDim > kValueDim ? kDim : kValueDim;
  static constexpr int kSlotBytes = kKeys * kWidest * int(sizeof(Element));
  static_assert(kSlots == 2 || kSlots == 3);

  FOVEA_DEVICE TileRing(const AttentionParams& params, const AttentionRows& rows, uint32_t base)
      : p(params),
        ring(base),
        keys(static_cast<const Element*>(p.key) + rows.key_offset(p.key_stride)),
        values(static_cast<const Element*>(p.value) + rows.key_offset(p.value_stride)) {}

  // Sends for the first items of tiles [begin, end).
  FOVEA_DEVICE void start(int32_t first, int32_t end, int32_t key_length) {
    begin = first;
    slot = 0;
    load_ahead<0>(end - 1, 0, key_length);
    if constexpr (kSlots == 3) load_ahead<1>(end - 1, 1, key_length);
  }

  // Waits for an item of `tile` and sends for the one that takes the slot before it, which nobody
  // reads any more: all threads have passed the barrier. Returns the item's address. To be called
  // for both items of every tile, in their order.
  template <RingItem kItem>
  FOVEA_DEVICE uint32_t next(int32_t tile, int32_t key_length) {
    tile::copy_async_wait<kSlots - 2>();
    tile::sync_block();
    load_ahead<(kItem != kFirst) + kSlots - 1>(tile, slot == 0 ? kSlots - 1 : slot - 1, key_length);
    const uint32_t address = ring + slot * kSlotBytes;
    slot = slot == kSlots - 1 ? 0 : slot + 1;
    return address;
  }

  // Rows of one item to `to`, by all threads; not yet waited for.
  template <RingItem kItem>
  FOVEA_DEVICE void load(int32_t tile, uint32_t to, int32_t key_length) {
    if constexpr (kItem == RingItem::kKeys) {
      load_tile<kKeys, kDim, kThreads>(to, keys, p.key_stride[1], tile * kKeys, key_length,
                                       p.head_dim, p.key_copy);
    } else {
      load_tile<kKeys, kValueDim, kThreads>(to, values, p.value_stride[1], tile * kKeys, key_length,
                                            p.value_head_dim, p.value_copy);
    }
  }

 private:
  static constexpr RingItem kSecond =
      kFirst == RingItem::kKeys ? RingItem::kValues : RingItem::kKeys;

  // Sends for the item that is kAhead behind the first one of `tile`.
  template <int kAhead>
  FOVEA_DEVICE void load_ahead(int32_t tile, int slot_of_item, int32_t key_length) {
    if (tile - kAhead / 2 >= begin) {
      load<kAhead % 2 == 0 ? kFirst : kSecond>(tile - kAhead / 2, ring + slot_of_item * kSlotBytes,
                                               key_length);
    }
    tile::copy_async_commit();  // an empty group too, so that a wait counts items
  }

  const AttentionParams& p;
  const uint32_t ring;
  const Element* const keys;
  const Element* const values;
  int32_t begin;
  int slot;
};

}  // namespace fovea
