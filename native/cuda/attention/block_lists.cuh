// Masks with gaps: which blocks of keys are listed for the queries of a tile, or which pixels are near them, and
// the lists of tiles that follow from it, which kernels walk in the place of all tiles that position lets be seen.
#pragma once

#include "cuda/attention/params.h"
#include "cuda/softmax/rows.cuh"
#include "ops/attention/pixel_window.h"

namespace fovea::attention::cuda {

// The first of `count` that `is_before` does not hold for; it holds for all before that one.
template <typename IsBefore>
FOVEA_DEVICE int32_t partition_point(int32_t count, IsBefore is_before) {
  int32_t low = 0, high = count;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (is_before(middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The blocks of keys of one block of queries, which rise.
struct BlockList {
  const int32_t* at;
  int32_t count;
  uint32_t size;  // keys of a block

  // Of a query; whatever offsets hold, within the room.
  FOVEA_DEVICE BlockList(const AttentionParams& p, int32_t batch, int32_t head, int32_t position) {
    const int64_t(&offset)[2] = p.spec.block_offsets_stride;
    const int64_t(&index)[2] = p.spec.block_indices_stride;
    const int32_t* const offsets = p.block_offsets + batch * offset[0] + head * offset[1] +
                                   uint32_t(position) / uint32_t(p.spec.block_queries);
    const int64_t room = p.spec.block_count;
    const int32_t first = clamp_length(tile::load_global(offsets), room);
    const int32_t last = clamp_length(tile::load_global(offsets + 1), room);
    at = p.block_indices + batch * index[0] + head * index[1] + first;
    count = last > first ? last - first : 0;
    size = uint32_t(p.spec.block_keys);
  }

  // As of a PixelWindow.
  FOVEA_DEVICE int64_t next(int64_t key) const {
    const int32_t i = find(block_of(key));
    if (i == count) return PixelWindow::kNone;
    const int64_t first = block(i) * size;
    return first > key ? first : key;
  }
  FOVEA_DEVICE int64_t end(int64_t key) const { return (block_of(key) + 1) * size; }
  FOVEA_DEVICE bool covers(int64_t from, int64_t to) const {
    const int64_t begin = block_of(from), last = block_of(to);
    const int32_t i = find(begin);
    return count - i > last - begin && block(i) == begin && block(i + int32_t(last - begin)) == last;
  }

 private:
  // Keys and sizes have 31 bits, in which a GPU divides several times as fast as in 64.
  FOVEA_DEVICE int64_t block_of(int64_t key) const { return uint32_t(key) / size; }
  FOVEA_DEVICE int64_t block(int32_t i) const { return tile::load_global(at + i); }

  // The first that is not before `block`.
  FOVEA_DEVICE int32_t find(int64_t first) const {
    return partition_point(count, [&](int32_t i) { return block(i) < first; });
  }
};

// Calls body(seen) for what the rows of a tile see, in parts of them.
template <typename Body>
FOVEA_DEVICE void for_each_sight(const AttentionParams& p, const AttentionRows& rows, Body body) {
  if (rows.count <= 0) return;
  if (p.spec.has_image_width) {
    const int64_t width = p.spec.image_width, shift = rows.shift(p);
    const int64_t from = rows.position(0) + shift, to = rows.position(rows.count - 1) + shift;
    for (int64_t y = PixelWindow::row_of(p.spec, from); y * width <= to; ++y) {
      const int64_t first = from - y * width, last = to - y * width;
      body(PixelWindow(p.spec, y, first < 0 ? 0 : first, last < width ? last : width - 1));
    }
    return;
  }
  const bool shared = p.spec.block_offsets_stride[1] == 0 && p.spec.block_indices_stride[1] == 0;
  const int32_t all = int32_t(rows.group.value);
  const int32_t heads = shared ? 1 : all < rows.count ? all : rows.count;
  const int64_t size = p.spec.block_queries;
  const int64_t first = rows.position(0) / size, last = rows.position(rows.count - 1) / size;
  for (int32_t h = 0; h < heads; ++h) {
    for (int64_t m = first; m <= last; ++m) {
      body(BlockList(p, rows.batch, rows.head(h), int32_t(m * size)));
    }
  }
}

// The first key from `key` on that no gap hides from any of the rows; behind all keys if there is none.
FOVEA_DEVICE int64_t next_seen_key(const AttentionParams& p, const AttentionRows& rows, int64_t key) {
  int64_t next = PixelWindow::kNone;
  for_each_sight(p, rows, [&](const auto& seen) {
    const int64_t first = seen.next(key);
    if (first < next) next = first;
  });
  return next;
}

// Whether no gap hides any of keys [first, end) from any of the rows.
FOVEA_DEVICE bool sees_all(const AttentionParams& p, const AttentionRows& rows, int64_t first,
                           int64_t end) {
  bool all = true;
  for_each_sight(p, rows, [&](const auto& seen) { all = all && seen.covers(first, end - 1); });
  return all;
}

// Which of 64 keys from `first` on are seen, a bit for each.
template <typename Sight>
FOVEA_DEVICE uint64_t seen_of_64(const Sight& sight, int64_t first) {
  const auto below = [](int64_t n) {
    return n <= 0 ? uint64_t{0} : n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
  };
  uint64_t seen = 0;
  FOVEA_NO_UNROLL
  for (int64_t key = first; (key = sight.next(key)) < first + 64;) {
    const int64_t end = sight.end(key);
    seen |= below(end - first) & ~below(key - first);
    key = end;
  }
  return seen;
}
FOVEA_DEVICE uint64_t seen_keys(const AttentionParams& p, const AttentionRows& rows, int32_t head,
                                int32_t position, int64_t first) {
  if (!p.spec.has_image_width) return seen_of_64(BlockList(p, rows.batch, head, position), first);
  const int64_t at = int64_t{position} + rows.shift(p), y = PixelWindow::row_of(p.spec, at);
  const int64_t x = at - y * p.spec.image_width;
  return seen_of_64(PixelWindow(p.spec, y, x, x), first);
}

// An entry of a list of tiles: the tile's place, and whether a mask of its elements is needed.
constexpr uint32_t kPartialTile = 1u << 31;

// From here on a tile is counted in its list: rows.begin is where the first one that is visible stands
// among all entries, as ~begin, and full_begin and full_end are places.
FOVEA_DEVICE int32_t restrict_to_list(const TileLists& lists, AttentionRows& rows, int32_t tiles,
                                      int32_t tile) {
  if (lists.entries == nullptr || tiles <= 0) return tiles;
  const int64_t list = (rows.batch * lists.batches + rows.key_head * lists.heads + tile) * lists.room;
  const uint32_t* const at = lists.entries + list;
  const int32_t count = int32_t(tile::load_global(at));
  const auto find = [&](int32_t place) {
    return partition_point(count, [&](int32_t i) {
      return int32_t(tile::load_global(at + 1 + i) & ~kPartialTile) < place;
    });
  };
  const int32_t first = find(rows.begin), end = find(rows.begin + tiles);
  rows.full_begin += rows.begin;
  rows.full_end += rows.begin;
  rows.begin = ~int32_t(list + 1 + first);
  return end - first;
}

// Whether tiles are counted in a list. `shared_rows` are what is stored of the block's rows.
FOVEA_DEVICE bool is_listed(uint32_t shared_rows) {
  return load_rows_field<offsetof(AttentionRows, begin)>(shared_rows) < 0;
}

// Where a tile stands among all of its sequence, from the rows' begin.
template <bool kGeneral>
FOVEA_DEVICE int32_t place_from(const TileLists& lists, int32_t begin, int32_t tile) {
  if constexpr (kGeneral) {
    if (begin < 0) return int32_t(tile::load_global(lists.entries + (~begin + tile)) & ~kPartialTile);
  }
  return begin + tile;
}
template <bool kGeneral>
FOVEA_DEVICE int32_t place_of(const TileLists& lists, int32_t tile, uint32_t shared_rows) {
  const int32_t begin = load_rows_field<offsetof(AttentionRows, begin)>(shared_rows);
  return place_from<kGeneral>(lists, begin, tile);
}
template <bool kGeneral, int kKeys>
FOVEA_DEVICE int32_t first_key_of(const TileLists& lists, int32_t tile, uint32_t shared_rows) {
  return place_of<kGeneral>(lists, tile, shared_rows) * kKeys;
}

// Whether some row of the block does not see all of the tile, by its position.
template <bool kGeneral>
FOVEA_DEVICE bool is_masked(const TileLists& lists, int32_t tile, uint32_t shared_rows) {
  if constexpr (kGeneral) {
    if (is_listed(shared_rows)) {
      tile = place_of<true>(lists, tile, shared_rows);
    }
  }
  return fovea::cuda::is_masked(tile, shared_rows);
}

// Whether some of the tile may lie in a gap. Blocks without lists of tiles take every tile for such.
FOVEA_DEVICE bool is_partial(const AttentionParams& p, const TileLists& lists, int32_t tile,
                             uint32_t shared_rows) {
  if (!p.is_sparse) return false;
  const int32_t begin = load_rows_field<offsetof(AttentionRows, begin)>(shared_rows);
  return begin >= 0 || (tile::load_global(lists.entries + (~begin + tile)) & kPartialTile) != 0;
}

}  // namespace fovea::attention::cuda
