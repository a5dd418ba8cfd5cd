// How the query rows of a batch are cut into tiles of one sequence each, for every key head alike: what
// the planner counts, and a run finds again.
#pragma once

#include <algorithm>
#include <cstdint>

#include "fovea.h"

namespace fovea::cpu {

struct RowTile {
  int64_t sequence;
  int64_t index, count;  // among the tiles of that sequence
};

// Padded sequences have as many tiles each as the longest. Packed ones are numbered by the rows
// before them, because the longest that a caller claims may be far from most: sequence b has the tiles
// from floor(cu_seqlens[b] * group / tile) + b on, which are as many as it needs or up to two more,
// and those are empty.
class RowTiles {
 public:
  RowTiles() = default;
  RowTiles(bool packed, int64_t batch, int64_t longest, int64_t total, int64_t group, int64_t tile)
      : packed_(packed), batch_(batch), group_(group), tile_(tile) {
    if (longest == 0) return;
    count_ = packed ? total * group / tile + batch : batch * ((longest * group + tile - 1) / tile);
  }
  template <typename Spec>
  RowTiles(const Spec& spec, int64_t tile)
      : RowTiles(spec.packed, spec.batch, spec.query_length, spec.query_total,
                 spec.query_heads / spec.key_heads, tile) {}

  int64_t count() const { return count_; }

  // The tile of that number. `cu_seqlens` goes from 0 to the total; padded sequences have none.
  RowTile find(int64_t number, const int32_t* cu_seqlens) const {
    if (!packed_) return {number % batch_, number / batch_, count_ / batch_};
    int64_t low = 0, high = batch_;
    while (high - low > 1) {
      const int64_t middle = low + (high - low) / 2;
      (first(cu_seqlens, middle) <= number ? low : high) = middle;
    }
    const int64_t begin = first(cu_seqlens, low);
    return {low, number - begin, first(cu_seqlens, low + 1) - begin};
  }

 private:
  int64_t first(const int32_t* cu_seqlens, int64_t sequence) const {
    return cu_seqlens[sequence] * group_ / tile_ + sequence;
  }

  bool packed_ = false;
  int64_t batch_ = 0, group_ = 1, tile_ = 1, count_ = 0;
};

// Rows of a tile, where each prepares every key anew: as many as there may be, `most`, and fewer where the
// workers would run out of items, but not so few that preparing takes most of the time.
template <typename Spec>
int32_t pick_tile_rows(const Spec& spec, const fovea_device_info& device, int64_t most) {
  constexpr int64_t kBlock = 6, kFewest = 24;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  const int64_t sequences = std::max<int64_t>(1, spec.batch * spec.key_heads);
  const int64_t wanted = 4 * std::max<int64_t>(1, device.multiprocessors);
  const int64_t tiles = std::max<int64_t>(
      {1, (rows + most - 1) / most, std::min(rows / kFewest, (wanted + sequences - 1) / sequences)});
  const int64_t tile = ((rows + tiles - 1) / tiles + kBlock - 1) / kBlock * kBlock;
  return int32_t(std::clamp<int64_t>(tile, kBlock, most));
}

}  // namespace fovea::cpu
