// Tiles of keys and values on their way: a ring of slots in shared memory, in which tiles of keys and
// of values take turns, from the last tile of a range to its first.
#pragma once

#include "cuda/attention/block_lists.cuh"
#include "cuda/attention/load.cuh"

namespace fovea::attention::cuda {

enum class RingItem { kKeys, kValues };

// Whether float32 has no registers for where values begin, which the general kernel then finds anew for each
// tile. Held, they made D 64 spill 12 bytes on sm_80 and sm_90a and D 128 also on sm_120, where D 64 spills 16 if
// they are not.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
template <int kDim>
constexpr bool kFindsValues = kDim > 64;
#else
template <int kDim>
constexpr bool kFindsValues = true;
#endif

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
  // that of the tile before. The general kernel asks lists where a tile is.
  FOVEA_DEVICE void seek(int32_t tiles) {
    if constexpr (kGeneral) return;
    keys += int64_t{tiles} * kKeys * p.spec.key_stride[1];
    values += int64_t{tiles} * kKeys * p.spec.value_stride[1];
  }

  // Sends for the first items of the `tiles` visible ones, which begin at `begin`. From here on a tile is
  // counted from there.
  FOVEA_DEVICE void start(int32_t begin, int32_t tiles) {
    slot = 0;
    seek(begin + tiles - 1);
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
      load<KeyCopy, kFull>(tile, to, keys, p.spec.key_stride, p.head_dim, p.key_copy, p.key);
    } else {
      load<ValueCopy, kFull>(tile, to, values, p.spec.value_stride, p.value_head_dim, p.value_copy,
                             p.value);
    }
  }

 private:
  using KeyCopy = TileCopy<kKeys, kDim, kThreads, Element>;
  using ValueCopy = TileCopy<kKeys, kValueDim, kThreads, Element>;
  static constexpr RingItem kSecond =
      kFirst == RingItem::kKeys ? RingItem::kValues : RingItem::kKeys;

  FOVEA_DEVICE int32_t first_key(int32_t tile) const {
    return first_key_of<kGeneral, kKeys>(p.lists, tile, shared);
  }

  template <typename Copy, bool kFull>
  FOVEA_DEVICE void load(int32_t tile, uint32_t to, const Element*& from, const int64_t (&strides)[3],
                         int width, RowCopy copy, const void* tensor) {
    const int64_t stride = strides[1];
    const Element* at = from;
    constexpr bool kOfValues = std::is_same_v<Copy, ValueCopy>;
    if constexpr (kGeneral && sizeof(Element) == 4 && kOfValues && kFindsValues<kDim>) {
      at = Copy::first_source(
          static_cast<const Element*>(tensor) + load_rows(shared).key_offset(strides), stride,
          tile::thread_anew());
    }
    if constexpr (kGeneral) at += int64_t{first_key(tile)} * stride;
    if (kFull && copy.whole) {
      Copy::copy_whole(to, at, stride);
    } else {
      const int32_t length = load_rows_field<offsetof(AttentionRows, key_length)>(shared);
      Copy::copy(to, at, stride, length - first_key(tile), width, copy.bytes,
                 static_cast<const Element*>(tensor));
    }
    if constexpr (!kGeneral) from = tile::opaque(from - kKeys * stride);
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
  const Element* keys;  // this thread's first chunk of the next item; in the general kernel, of the first
  const Element* values;
  int slot;
};

}  // namespace fovea::attention::cuda
