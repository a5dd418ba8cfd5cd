// The query rows of one block: which sequence and heads they belong to, which keys each sees, where
// its elements lie; for the parameters of any operation with sequences, heads and masks. As on the CPU,
// a row is a (position, head of the group) pair, the group running fastest, so that grouped-query
// attention reads each key once for all its heads.
#pragma once

#include <cstddef>
#include <type_traits>

#include "cuda/softmax/params.h"
#include "tile/memory.cuh"

namespace fovea::cuda {

// n / divisor for 0 <= n < 2^31: three instructions, where the GPU's own way takes about twenty.
FOVEA_DEVICE uint32_t divide(uint32_t n, const Divisor& divisor) {
  return uint32_t(uint64_t{2 * n} * divisor.multiplier >> 32) >> divisor.shift;
}

struct AttentionRows {
  int32_t batch, key_head;
  int32_t first_head;                // of the query heads of its rows, which share the key head
  int32_t query_length, key_length;  // of this sequence
  int32_t query_start, key_start;    // its first rows in packed tensors, else 0
  int32_t position0, head0;          // of the block's first row
  int32_t count;                     // rows of the block that belong to queries, none may
  int32_t begin;                     // the first tile of keys that any row of the block sees
  int32_t full_begin, full_end;      // tiles that every row sees in full, counted from `begin`
  Divisor group;                     // how many those heads are

  // The block's first row among those of the sequence.
  FOVEA_DEVICE int64_t first() const { return int64_t{position0} * group.value + head0; }
  // Position of a row of the block in its sequence, and its head.
  FOVEA_DEVICE int32_t position(uint32_t row) const {
    return position0 + int32_t(divide(head0 + row, group));
  }
  FOVEA_DEVICE int32_t head(uint32_t row) const {
    const uint32_t n = head0 + row;
    return first_head + int32_t(n - divide(n, group) * group.value);
  }

  // A query's position among the keys minus that among the queries.
  template <typename Params>
  FOVEA_DEVICE int32_t shift(const Params& p) const {
    return p.spec.alignment == FOVEA_TOP_LEFT ? 0 : key_length - query_length;
  }
  // Keys [low, high) are visible to the query at `position`; both rise with the position.
  template <typename Params>
  FOVEA_DEVICE int32_t low(const Params& p, int32_t position) const {
    if (!p.spec.has_window_left) return 0;
    return clamp(int64_t{position} + shift(p) - p.spec.window_left);
  }
  template <typename Params>
  FOVEA_DEVICE int32_t high(const Params& p, int32_t position) const {
    int32_t bound = key_length;
    if (p.spec.causal) bound = clamp(int64_t{position} + shift(p) + 1);
    if (p.spec.has_window_right) {
      const int32_t right = clamp(int64_t{position} + shift(p) + p.spec.window_right + 1);
      bound = right < bound ? right : bound;
    }
    return bound;
  }

  // Element offsets, as in Spec: strides of (batch, position, head), of (batch, head,
  // position) and of (batch, head).
  FOVEA_DEVICE int64_t offset(const int64_t (&stride)[3], int32_t position, int32_t head) const {
    return batch * stride[0] + (int64_t{query_start} + position) * stride[1] + head * stride[2];
  }
  FOVEA_DEVICE int64_t key_offset(const int64_t (&stride)[3]) const {
    return batch * stride[0] + key_start * stride[1] + key_head * stride[2];
  }
  FOVEA_DEVICE int64_t score_offset(const int64_t (&stride)[3], int32_t position,
                                    int32_t head) const {
    return batch * stride[0] + head * stride[1] + (int64_t{query_start} + position) * stride[2];
  }
  template <typename Params>
  FOVEA_DEVICE int64_t lse_offset(const Params& p, int32_t position, int32_t head) const {
    return batch * p.spec.lse_stride[0] + head * p.spec.lse_stride[1] + int64_t{query_start} + position;
  }

 private:
  FOVEA_DEVICE int32_t clamp(int64_t key) const {
    return key < 0 ? 0 : key > key_length ? key_length : int32_t(key);
  }
};

constexpr int kAttentionRowsQuads = sizeof(AttentionRows) / 16;
struct AttentionRowsQuads {
  uint32_t quad[kAttentionRowsQuads][4];
};

// A length that the caller put in device memory, kept within what the tensors hold.
FOVEA_DEVICE int32_t clamp_length(int64_t length, int64_t longest) {
  return int32_t(length < 0 ? 0 : length > longest ? longest : length);
}

// Rows [start, start + length) of sequence `batch` in a packed tensor of `total` rows.
FOVEA_DEVICE void locate_packed(const int32_t* cu_seqlens, int32_t batch, int32_t longest,
                                int64_t total, int32_t& start, int32_t& length) {
  start = clamp_length(tile::load_global(cu_seqlens + batch), total);
  const int32_t end = clamp_length(tile::load_global(cu_seqlens + batch + 1), total);
  length = clamp_length(int64_t{end} - start, longest);
}

// Rows of key and value that a sequence has, those behind its length included.
template <typename Params>
FOVEA_DEVICE int32_t key_rows(const Params& p, int32_t batch) {
  if (!p.spec.packed) return p.key_length;
  int32_t start, length;
  locate_packed(p.cu_seqlens_k, batch, p.key_length, p.spec.key_total, start, length);
  return length;
}

// The part of a work item: one of the tiles of a (batch, key head) pair.
struct AttentionItem {
  uint32_t batch, key_head, tile;
};

// What an item is. Within a section of pairs the first tiles of all pairs come first; all pairs
// of a section share the L2 cache. A grid has fewer than 2^31 blocks: 32 bits are enough.
template <typename Params>
FOVEA_DEVICE AttentionItem locate_item(const Params& p, uint32_t item) {
  const uint32_t all = uint32_t(p.pairs), most = uint32_t(p.section), tiles = uint32_t(p.tiles);
  const uint32_t first = item / (most * tiles) * most;
  const uint32_t pairs = all - first < most ? all - first : most;
  const uint32_t within = item - first * tiles;
  const uint32_t tile = within / pairs, pair = first + within - tile * pairs;
  const uint32_t batch = pair / uint32_t(p.key_heads);
  return {batch, pair - batch * uint32_t(p.key_heads), tile};
}

template <bool kPages, typename Params>
FOVEA_DEVICE bool is_in_pages(const Params& p) {
  if constexpr (kPages) return p.spec.has_block_table;
  return false;
}

// What this block does.
template <typename Params>
FOVEA_DEVICE AttentionItem locate_item(const Params& p) {
  return locate_item(p, uint32_t(p.first_item) + tile::block_index());
}

// A sequence and the heads that share a key head; set_rows() follows. kPages: keys may be in pages, which lie apart
// even where queries are packed.
template <bool kPages = false, typename Params>
FOVEA_DEVICE AttentionRows locate_pair(const Params& p, uint32_t batch, uint32_t key_head) {
  AttentionRows rows;
  rows.batch = int32_t(batch);
  rows.key_head = int32_t(key_head);
  rows.group = p.group;
  rows.first_head = int32_t(key_head * p.group.value);
  rows.query_start = rows.key_start = 0;
  if (p.spec.packed) {
    locate_packed(p.cu_seqlens_q, rows.batch, p.query_length, p.spec.query_total, rows.query_start,
                  rows.query_length);
    if (is_in_pages<kPages>(p)) {
      rows.key_length = p.key_length;
    } else {
      locate_packed(p.cu_seqlens_k, rows.batch, p.key_length, p.spec.key_total, rows.key_start,
                    rows.key_length);
    }
  } else {
    rows.query_length = p.query_length;
    rows.key_length = p.key_length;
    if (p.query_lengths != nullptr) {
      rows.query_length =
          clamp_length(tile::load_global(p.query_lengths + rows.batch), p.query_length);
    }
  }
  if (p.key_lengths != nullptr) {
    rows.key_length = clamp_length(tile::load_global(p.key_lengths + rows.batch), rows.key_length);
  }
  return rows;
}

// Rows [tile * most, (tile + 1) * most) of those of the pair. `tile` goes round all heads first, so
// that no product leaves 32 bits.
FOVEA_DEVICE void set_rows(AttentionRows& rows, uint32_t tile, uint32_t most) {
  const uint32_t group = rows.group.value, rounds = divide(tile, rows.group);
  const uint32_t rest = (tile - rounds * group) * most, positions = divide(rest, rows.group);
  rows.position0 = int32_t(rounds * most + positions);
  rows.head0 = int32_t(rest - positions * group);
  rows.count = clamp_length(int64_t{rows.query_length} * group - int64_t{tile} * most, most);
}

// The number of tiles of kKeys keys that any of the rows sees; says where they begin, and which of them
// all rows see in full.
template <int kKeys, typename Params>
FOVEA_DEVICE int32_t set_visible_tiles(AttentionRows& rows, const Params& p) {
  rows.begin = rows.full_begin = rows.full_end = 0;
  if (rows.count <= 0) return 0;
  const int32_t first = rows.position(0), last = rows.position(rows.count - 1);
  rows.begin = rows.low(p, first) / kKeys;
  rows.full_begin = (rows.low(p, last) + kKeys - 1) / kKeys - rows.begin;
  rows.full_end = rows.high(p, first) / kKeys - rows.begin;
  const int32_t tiles = (rows.high(p, last) + kKeys - 1) / kKeys - rows.begin;
  return tiles > 0 ? tiles : 0;
}

// Which of the tiles of kRows rows of the pair these are.
template <int kRows>
FOVEA_DEVICE int32_t tile_of(const AttentionRows& rows) {
  return int32_t(rows.first() / kRows);
}

// The rows of this block, the last tile of queries first: under a causal mask it is the longest, and
// the short ones fill the gaps at the end.
template <int kRows, bool kPages = false, typename Params>
FOVEA_DEVICE AttentionRows locate_rows(const Params& p) {
  const AttentionItem at = locate_item(p);
  AttentionRows rows = locate_pair<kPages>(p, at.batch, at.key_head);
  set_rows(rows, uint32_t(p.tiles) - 1 - at.tile, kRows);
  return rows;
}

// Rows of the block that the tensors have, padding included.
template <typename Params>
FOVEA_DEVICE bool exists(const Params& p, const AttentionRows& rows, uint32_t row) {
  return p.spec.packed ? int32_t(row) < rows.count : rows.position(row) < p.query_length;
}

// The rows in shared memory, one word for each field: a kernel that kept them in registers through
// its products would spill. One thread stores, all threads load behind a barrier.
FOVEA_DEVICE void store_rows(uint32_t to, const AttentionRows& rows) {
  static_assert(std::is_trivially_copyable_v<AttentionRows> &&
                sizeof(AttentionRows) == kAttentionRowsBytes);
  const auto words = __builtin_bit_cast(AttentionRowsQuads, rows);
  FOVEA_UNROLL
  for (int i = 0; i < kAttentionRowsQuads; ++i) {
    FOVEA_UNROLL
    for (int e = 0; e < 4; ++e) tile::store_shared(to + 16 * i + 4 * e, words.quad[i][e]);
  }
}

FOVEA_DEVICE AttentionRows load_rows(uint32_t from) {
  AttentionRowsQuads words;
  FOVEA_UNROLL
  for (int i = 0; i < kAttentionRowsQuads; ++i) {
    tile::load_shared_quad(from + 16 * i, words.quad[i]);
  }
  return __builtin_bit_cast(AttentionRows, words);
}

// One of its fields.
template <size_t kOffset>
FOVEA_DEVICE int32_t load_rows_field(uint32_t from) {
  return int32_t(tile::load_shared(from + kOffset));
}

// The first key of a tile that is counted from the first visible one.
template <int kKeys>
FOVEA_DEVICE int32_t first_key_of(int32_t tile, uint32_t rows) {
  return (load_rows_field<offsetof(AttentionRows, begin)>(rows) + tile) * kKeys;
}
// Whether some row of the block does not see all of the tile.
FOVEA_DEVICE bool is_masked(int32_t tile, uint32_t rows) {
  return tile < load_rows_field<offsetof(AttentionRows, full_begin)>(rows) ||
         tile >= load_rows_field<offsetof(AttentionRows, full_end)>(rows);
}

}  // namespace fovea::cuda
