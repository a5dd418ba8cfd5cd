// The query rows of one block: which sequence and heads they belong to, which keys each sees, where
// its elements lie. As on the CPU, a row is a (position, head of the group) pair, the group running
// fastest, so that grouped-query attention reads each key once for all its heads.
#pragma once

#include <cstddef>
#include <type_traits>

#include "cuda/attention_params.h"
#include "cuda/attention_tiles.h"
#include "tile/memory.cuh"

namespace fovea {

struct AttentionRows {
  int32_t batch, key_head;
  int32_t first_head, group;         // the query heads of its rows, which share the key head
  int32_t query_length, key_length;  // of this sequence
  int32_t query_start, key_start;    // its first rows in packed tensors, else 0
  int32_t shift;                     // position among the keys minus position of the query
  int32_t position0, head0;          // of the block's first row
  int32_t count;                     // rows of the block that belong to queries, none may
  int32_t full_begin, full_end;      // tiles of keys that every row of the block sees in full

  // The block's first row among those of the sequence.
  FOVEA_DEVICE int64_t first() const { return int64_t{position0} * group + head0; }
  // Position of a row of the block in its sequence, and its head.
  FOVEA_DEVICE int32_t position(uint32_t row) const {
    return position0 + int32_t((head0 + row) / uint32_t(group));
  }
  FOVEA_DEVICE int32_t head(uint32_t row) const {
    return first_head + int32_t((head0 + row) % uint32_t(group));
  }

  // Keys [low, high) are visible to the query at `position`; both rise with the position.
  FOVEA_DEVICE int32_t low(const AttentionParams& p, int32_t position) const {
    if (!p.has_window_left) return 0;
    return clamp(int64_t{position} + shift - p.window_left);
  }
  FOVEA_DEVICE int32_t high(const AttentionParams& p, int32_t position) const {
    int32_t bound = key_length;
    if (p.causal) bound = clamp(int64_t{position} + shift + 1);
    if (p.has_window_right) {
      const int32_t right = clamp(int64_t{position} + shift + p.window_right + 1);
      bound = right < bound ? right : bound;
    }
    return bound;
  }

  // Element offsets, as in fovea_attention_spec: strides of (batch, position, head), of (batch, head,
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
  FOVEA_DEVICE int64_t lse_offset(const AttentionParams& p, int32_t position, int32_t head) const {
    return batch * p.lse_stride[0] + head * p.lse_stride[1] + int64_t{query_start} + position;
  }

 private:
  FOVEA_DEVICE int32_t clamp(int64_t key) const {
    return key < 0 ? 0 : key > key_length ? key_length : int32_t(key);
  }
};

constexpr int kAttentionRowsWords = sizeof(AttentionRows) / 4;
struct AttentionRowsWords {
  uint32_t word[kAttentionRowsWords];
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

// The part of a work item: one of the tiles of a (batch, key head) pair.
struct AttentionItem {
  int64_t pair, tile;
};

// Within a section of pairs the first tiles of all pairs come first; all pairs of a section share the
// L2 cache.
FOVEA_DEVICE AttentionItem locate_item(const AttentionParams& p, int64_t item, int64_t tiles) {
  const int64_t section = item / (p.section * tiles);
  const int64_t first = section * p.section;
  const int64_t pairs = p.pairs - first < p.section ? p.pairs - first : p.section;
  const int64_t within = item - first * tiles;
  return {first + within % pairs, within / pairs};
}

// The sequence and heads of a pair; set_rows() follows.
FOVEA_DEVICE AttentionRows locate_pair(const AttentionParams& p, int64_t pair) {
  AttentionRows rows;
  rows.batch = int32_t(pair / p.key_heads);
  rows.key_head = int32_t(pair % p.key_heads);
  rows.group = p.query_heads / p.key_heads;
  rows.first_head = rows.key_head * rows.group;
  rows.query_start = rows.key_start = 0;
  if (p.packed) {
    locate_packed(p.cu_seqlens_q, rows.batch, p.query_length, p.query_total, rows.query_start,
                  rows.query_length);
    locate_packed(p.cu_seqlens_k, rows.batch, p.key_length, p.key_total, rows.key_start,
                  rows.key_length);
  } else {
    rows.query_length = p.query_length;
    rows.key_length = p.key_length;
    if (p.query_lengths != nullptr) {
      rows.query_length =
          clamp_length(tile::load_global(p.query_lengths + rows.batch), p.query_length);
    }
    if (p.key_lengths != nullptr) {
      rows.key_length = clamp_length(tile::load_global(p.key_lengths + rows.batch), p.key_length);
    }
  }
  rows.shift = p.top_left ? 0 : rows.key_length - rows.query_length;
  return rows;
}

// Rows [row, row + most) of those of the pair.
FOVEA_DEVICE void set_rows(AttentionRows& rows, int64_t row, int32_t most) {
  rows.position0 = int32_t(row / rows.group);
  rows.head0 = int32_t(row % rows.group);
  rows.count = clamp_length(int64_t{rows.query_length} * rows.group - row, most);
}

// The tiles of kKeys keys that any of the rows sees, [begin, end), and those that all see in full.
template <int kKeys>
FOVEA_DEVICE void set_visible_tiles(AttentionRows& rows, const AttentionParams& p, int32_t& begin,
                                    int32_t& end) {
  begin = end = rows.full_begin = rows.full_end = 0;
  if (rows.count <= 0) return;
  const int32_t first = rows.position(0), last = rows.position(rows.count - 1);
  begin = rows.low(p, first) / kKeys;
  end = (rows.high(p, last) + kKeys - 1) / kKeys;
  rows.full_begin = (rows.low(p, last) + kKeys - 1) / kKeys;
  rows.full_end = rows.high(p, first) / kKeys;
}

// The rows of work item `item`, the last tile of queries first: under a causal mask it is the
// longest, and the short ones fill the gaps at the end.
template <int kRows>
FOVEA_DEVICE AttentionRows locate_rows(const AttentionParams& p, int64_t item) {
  const AttentionItem at = locate_item(p, item, p.tiles);
  AttentionRows rows = locate_pair(p, at.pair);
  set_rows(rows, (p.tiles - 1 - at.tile) * kRows, kRows);
  return rows;
}

// The rows in shared memory, one word for each field: a kernel that kept them in registers through
// its products would spill. One thread stores, all threads load behind a barrier.
FOVEA_DEVICE void store_rows(uint32_t to, const AttentionRows& rows) {
  static_assert(std::is_trivially_copyable_v<AttentionRows> &&
                sizeof(AttentionRows) <= kAttentionRowsBytes);
  const auto words = __builtin_bit_cast(AttentionRowsWords, rows);
  FOVEA_UNROLL
  for (int i = 0; i < kAttentionRowsWords; ++i) tile::store_shared(to + 4 * i, words.word[i]);
}

FOVEA_DEVICE AttentionRows load_rows(uint32_t from) {
  AttentionRowsWords words;
  FOVEA_UNROLL
  for (int i = 0; i < kAttentionRowsWords; ++i) words.word[i] = tile::load_shared(from + 4 * i);
  return __builtin_bit_cast(AttentionRows, words);
}

// One of its fields.
template <size_t kOffset>
FOVEA_DEVICE int32_t load_rows_field(uint32_t from) {
  return int32_t(tile::load_shared(from + kOffset));
}

}  // namespace fovea
