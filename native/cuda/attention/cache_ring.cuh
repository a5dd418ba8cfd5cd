// Tiles of keys and values of a cache on their way: TileRing's slots and turns, for rows in pages and elements of
// any type. They come as they are, each chunk to where the first of those that it becomes belongs; the thread that
// has sent for it widens it there, so that no barrier is needed for that.
#pragma once

#include "cuda/attention/cache_values.cuh"
#include "cuda/attention/ring.cuh"
#include "cuda/attention/tiles.h"
#include "tile/products.cuh"

namespace fovea::attention::cuda {

// Which keys of a cache any row of the block sees, those between them included: others are not looked up, since
// their pages may be gone.
constexpr uint32_t kSeenBegin = kAttentionRowsBytes + 4, kSeenEnd = kSeenBegin + 4;

FOVEA_DEVICE void store_seen_keys(const AttentionParams& p, const AttentionRows& rows,
                                  uint32_t shared_rows) {
  const bool some = rows.count > 0;
  const int32_t begin = some ? rows.low(p, rows.position(0)) : 0;
  const int32_t end = some ? rows.high(p, rows.position(rows.count - 1)) : 0;
  tile::store_shared(shared_rows + kSeenBegin, uint32_t(begin));
  tile::store_shared(shared_rows + kSeenEnd, uint32_t(end));
}

// Where rows of a sequence and key head lie in a tensor like key.
template <bool kPositions>
struct CacheRows {
  const AttentionParams& p;
  int64_t first, page_stride, stride;  // of the head's first row, or of that of page 0
  const int32_t* pages;
  int32_t begin, end;  // keys that there are

  FOVEA_DEVICE CacheRows(const AttentionParams& params, const int64_t (&strides)[3], uint32_t shared)
      : p(params), page_stride(strides[0]), stride(strides[1]) {
    const int32_t batch = load_rows_field<offsetof(AttentionRows, batch)>(shared);
    auto head = uint32_t(load_rows_field<offsetof(AttentionRows, key_head)>(shared));
    if constexpr (kPositions) head = divide(head, p.key_group);
    begin = int32_t(tile::load_shared(shared + kSeenBegin));
    end = int32_t(tile::load_shared(shared + kSeenEnd));
    first = head * strides[2];
    if (p.spec.has_block_table) {
      pages = p.block_table + batch * p.spec.block_table_stride[0];
      if (p.spec.page_count == 0) end = 0;
    } else {
      pages = nullptr;
      first += batch * strides[0] +
               load_rows_field<offsetof(AttentionRows, key_start)>(shared) * strides[1];
    }
  }

  FOVEA_DEVICE bool has(int32_t key) const { return key >= begin && key < end; }

  // Of a key that is there.
  FOVEA_DEVICE int64_t offset(int32_t key) const {
    if (pages == nullptr) return first + key * stride;
    const int64_t page = tile::load_global(pages + (key >> p.page_shift)), last = p.spec.page_count - 1;
    return first + (page < 0 ? 0 : page > last ? last : page) * page_stride +
           (key & int32_t(p.spec.page_size - 1)) * stride;
  }
};

template <Precision kPrecision, int kKeys, int kDim, int kValueDim, int kSlots, int kThreads,
          bool kPositions>
class CacheRing {
 public:
  using Element = typename tile::PrecisionTypes<kPrecision>::Element;
  static constexpr int kWidest = kDim > kValueDim ? kDim : kValueDim;
  static constexpr int kTileBytes = kKeys * kWidest * int(sizeof(Element));
  static constexpr int kSlotBytes = kTileBytes + scale_bytes(kKeys);
  static_assert(kSlots >= 1 && kSlots <= 3);

  FOVEA_DEVICE CacheRing(const AttentionParams& params, const AttentionRows&, uint32_t base,
                         uint32_t shared_rows)
      : p(params), ring(base), shared(shared_rows) {}

  // A tile is looked up by its place, wherever the last one was.
  FOVEA_DEVICE void seek(int32_t) {}

  FOVEA_DEVICE void start(int32_t, int32_t tiles) {
    slot = 0;
    if constexpr (kSlots > 1) load_ahead<0>(tiles - 1, 0);
    if constexpr (kSlots == 3) load_ahead<1>(tiles - 1, 1);
  }

  // As that of TileRing, of keys and then values.
  template <RingItem kItem>
  FOVEA_DEVICE uint32_t next(int32_t tile) {
    if constexpr (kSlots == 1) {  // nothing is on its way while a product has the slot
      tile::sync_block();         // its last readers are done
      load<kItem>(tile, ring);
      tile::copy_async_commit();
      tile::copy_async_wait<0>();
      widen<kItem>(ring);
      tile::sync_block();
      return ring;
    } else {
      tile::copy_async_wait<kSlots - 2>();
      const uint32_t address = ring + slot * kSlotBytes;
      widen<kItem>(address);
      tile::sync_block();
      load_ahead<(kItem != RingItem::kKeys) + kSlots - 1>(tile, slot == 0 ? kSlots - 1 : slot - 1);
      slot = slot == kSlots - 1 ? 0 : slot + 1;
      return address;
    }
  }

  template <RingItem kItem>
  FOVEA_DEVICE void load(int32_t tile, uint32_t to) {
    if constexpr (kItem == RingItem::kKeys) {
      load_tile<kDim>(tile, to, p.key, p.spec.key_stride, p.head_dim, p.key_copy.bytes);
      load_scales(tile, to, p.key_scales, p.spec.key_scales_stride);
    } else {
      load_tile<kValueDim>(tile, to, p.value, p.spec.value_stride, p.value_head_dim,
                           p.value_copy.bytes);
      load_scales(tile, to, p.value_scales, p.spec.value_scales_stride);
    }
  }

  // What this thread has sent for, and has waited for, to what a product takes.
  template <RingItem kItem>
  FOVEA_DEVICE void widen(uint32_t tile) const {
    constexpr int kWidth = kItem == RingItem::kKeys ? kDim : kValueDim;
    with_cache_type<Element>(p.spec.cache_dtype, [&](auto* type) {
      using Raw = std::remove_pointer_t<decltype(type)>;
      constexpr uint32_t kChunks = kRowChunks<kWidth> >> kWidening<Raw, Element>;
      FOVEA_NO_UNROLL
      for (uint32_t n = tile::thread_anew(); n < kKeys * kChunks; n += kThreads) {
        widen_chunk<Raw, Element, tile::Swizzle<kRowChunks<kWidth>>>(
            tile, n / kChunks, n % kChunks << kWidening<Raw, Element>);
      }
    });
  }

  // body(j, e, scale) for the keys of a thread, of those of a tile from `key` on; e is 0 or 1.
  template <int kColumns, typename Body>
  static FOVEA_DEVICE void each_scale(uint32_t tile, uint32_t key, Body body) {
    const uint32_t from = tile + kTileBytes + 4 * key + tile::thread_anew() % 4 * 8;
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      uint32_t even, odd;
      tile::load_shared_pair(from + 32 * j, even, odd);
      body(j, 0, tile::as_float(even));
      body(j, 1, tile::as_float(odd));
    }
  }

  // The largest magnitude of so many of them.
  template <int kCount>
  static FOVEA_DEVICE float largest_scale(uint32_t tile, uint32_t key) {
    float largest = 0;
    FOVEA_UNROLL
    for (uint32_t i = tile::thread_anew() % tile::kWarp; i < kCount; i += tile::kWarp) {
      const float scale = tile::as_float(tile::load_shared(tile + kTileBytes + 4 * (key + i)));
      largest = tile::maximum(largest, __builtin_fabsf(scale));
    }
    return tile::warp_max(largest);
  }

 private:
  template <int kWidth>
  static constexpr uint32_t kRowChunks = kWidth * sizeof(Element) / 16;

  // Chunks that a thread looks up before it sends for the first.
  static constexpr int kTogether = 4;

  // Chunks of an element's type that one of a cache becomes, as a power of two.
  FOVEA_DEVICE int widening() const {
    int shift = 0;
    with_cache_type<Element>(p.spec.cache_dtype, [&](auto* type) {
      shift = kWidening<std::remove_pointer_t<decltype(type)>, Element>;
    });
    return shift;
  }

  FOVEA_DEVICE int32_t first_key(int32_t tile) const {
    return place_of<true>(p.lists, tile, shared) * kKeys;
  }

  template <int kWidth>
  FOVEA_DEVICE void load_tile(int32_t tile, uint32_t to, const void* tensor,
                              const int64_t (&strides)[3], int width, int copy_bytes) const {
    using Swizzle = tile::Swizzle<kRowChunks<kWidth>>;
    const CacheRows<kPositions> rows(p, strides, shared);
    const int32_t first = first_key(tile);
    const int shift = widening(), each = element_bytes(p.spec.cache_dtype);
    const int bytes = width / element_values(p.spec.cache_dtype) * each;
    const uint32_t chunks = kRowChunks<kWidth> >> shift, count = kKeys * chunks;
    const auto row_of = [&](uint32_t n) {
      constexpr int kPower = kTwos<kRowChunks<kWidth>>;
      return (n >> (kPower - shift)) / (kRowChunks<kWidth> >> kPower);
    };
    FOVEA_NO_UNROLL
    for (uint32_t begin = tile::thread_anew(); begin < count; begin += kTogether * kThreads) {
      const char* from[kTogether];
      FOVEA_UNROLL
      for (int k = 0; k < kTogether; ++k) {
        const uint32_t n = begin + k * kThreads;
        const int32_t key = first + int32_t(row_of(n));
        from[k] = nullptr;
        if (n < count && rows.has(key)) {
          from[k] = static_cast<const char*>(tensor) + rows.offset(key) * each;
        }
      }
      FOVEA_UNROLL
      for (int k = 0; k < kTogether; ++k) {
        const uint32_t n = begin + k * kThreads;
        if (n >= count) break;
        const uint32_t row = row_of(n), chunk = n - row * chunks;
        const int left = from[k] == nullptr ? 0 : bytes - int(chunk) * 16;
        copy_chunk(to + Swizzle::offset(row, chunk << shift),
                   left > 0 ? from[k] + chunk * 16 : static_cast<const char*>(tensor),
                   left < 0 ? 0 : left > 16 ? 16 : left, copy_bytes);
      }
    }
  }

  // Rows of single bytes may begin anywhere.
  static FOVEA_DEVICE void copy_chunk(uint32_t to, const char* from, int valid, int copy_bytes) {
    if (copy_bytes == 16) {
      tile::copy_async<16>(to, from, uint32_t(valid));
    } else if (copy_bytes >= 4) {
      FOVEA_UNROLL
      for (int word = 0; word < 4; ++word) {
        const int left = valid - 4 * word;
        tile::copy_async<4>(to + 4 * word, left > 0 ? from + 4 * word : from,
                            uint32_t(left < 0 ? 0 : left > 4 ? 4 : left));
      }
    } else {
      FOVEA_NO_UNROLL
      for (int word = 0; word < 4; ++word) {
        uint32_t bits = 0;
        FOVEA_UNROLL
        for (int byte = 0; byte < 4; ++byte) {
          if (4 * word + byte < valid) {
            const auto* const at = reinterpret_cast<const uint8_t*>(from) + 4 * word + byte;
            bits |= uint32_t{tile::load_global(at)} << 8 * byte;
          }
        }
        tile::store_shared(to + 4 * word, bits);
      }
    }
  }

  FOVEA_DEVICE void load_scales(int32_t tile, uint32_t to, const float* scales,
                                const int64_t (&strides)[2]) const {
    if (scales == nullptr) return;
    const CacheRows<kPositions> rows(p, {strides[0], strides[1], 1}, shared);
    const int32_t first = first_key(tile);
    FOVEA_NO_UNROLL
    for (uint32_t n = tile::thread_anew(); n < kKeys; n += kThreads) {
      const int32_t key = first + int32_t(n);
      const bool present = rows.has(key);
      tile::copy_async<4>(to + kTileBytes + 4 * n, present ? scales + rows.offset(key) : scales,
                          present ? 4 : 0);
    }
  }

  template <int kAhead>
  FOVEA_DEVICE void load_ahead(int32_t tile, int slot_of_item) {
    constexpr int kTiles = kAhead / 2;
    if (tile >= kTiles) {
      load<kAhead % 2 == 0 ? RingItem::kKeys : RingItem::kValues>(tile - kTiles,
                                                                  ring + slot_of_item * kSlotBytes);
    }
    tile::copy_async_commit();  // an empty group too, so that a wait counts items
  }

  const AttentionParams& p;
  const uint32_t ring, shared;
  int slot;
};

}  // namespace fovea::attention::cuda
