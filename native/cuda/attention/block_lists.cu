// Lists of tiles from a mask with gaps, a thread for each: for a tile of rows the tiles of keys that it meets, and
// the other way round. A list of rows takes time as its blocks are; one of keys as there are tiles of rows, of
// which each is asked once.

#include "cuda/attention/block_lists.cuh"

namespace fovea::attention::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kListThreads, 1) void list_tiles(const ListParams l) {
  const AttentionParams& p = l.attention;
  const int64_t list = int64_t{tile::block_index()} * kListThreads + tile::thread_index();
  if (list >= l.count) return;
  const int64_t item = list / l.tiles;
  const int32_t tile = int32_t(list % l.tiles), heads = l.to.heads == 0 ? 1 : p.key_heads;
  AttentionRows rows = locate_pair<true>(p, uint32_t(item / heads), uint32_t(item % heads));
  // Sequences that share a list have no pixels, or as many.
  if (l.to.batches == 0) rows.query_length = p.query_length;
  uint32_t* const to = l.to.entries + list * l.to.room;
  uint32_t count = 0;
  const auto add = [&](int64_t place, int64_t first_key) {
    const int64_t end = first_key + l.tile_keys;
    const bool all = sees_all(p, rows, first_key, end < p.key_length ? end : p.key_length);
    tile::store_global(to + 1 + count++, uint32_t(place) | (all ? 0u : kPartialTile));
  };
  if (l.of_keys) {
    const int64_t first_key = int64_t{tile} * l.tile_keys;
    for (int32_t place = 0; place < l.to.room - 1; ++place) {
      set_rows(rows, uint32_t(place), uint32_t(l.tile_rows));
      if (next_seen_key(p, rows, first_key) < first_key + l.tile_keys) add(place, first_key);
    }
  } else {
    set_rows(rows, uint32_t(tile), uint32_t(l.tile_rows));
    for (int64_t key = 0; (key = next_seen_key(p, rows, key)) < p.key_length;) {
      const int64_t place = key / l.tile_keys;
      add(place, place * l.tile_keys);
      key = (place + 1) * l.tile_keys;
    }
  }
  tile::store_global(to, count);
}

}  // namespace

ListKernel* list_tiles_kernel() { return list_tiles; }

}  // namespace fovea::attention::cuda
