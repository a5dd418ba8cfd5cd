// The block mask: which blocks of keys are listed for a block of queries. Lists rise, so that what is asked
// of them is found by halves: only blocks that are listed take time.
#pragma once

#include <algorithm>
#include <limits>

#include "cpu/attention/rows.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class BlockMask {
 public:
  BlockMask(const AttentionRows& rows, const Inputs& operands)
      : rows_(rows), spec_(rows.spec()), operands_(operands) {}

  bool is_given() const { return spec_.has_block_offsets != 0; }

  // The first key from `key` on in a block that is listed for any of rows [begin, end); behind all keys if
  // there is none.
  int64_t next_key(int64_t begin, int64_t end, int64_t key) const {
    if (!is_given()) return key;
    int64_t next = std::numeric_limits<int32_t>::max();
    for_each_list(begin, end, [&](List list) {
      const int32_t* const at = list.find(key / spec_.block_keys);
      if (at != list.end) next = std::min(next, *at * spec_.block_keys);
    });
    return std::max(key, next);
  }

  // Whether all of rows [begin, end) have all blocks of keys [j, j + count) in their lists.
  bool lists_all(int64_t begin, int64_t end, int64_t j, int count) const {
    if (!is_given()) return true;
    const int64_t first = j / spec_.block_keys, last = (j + count - 1) / spec_.block_keys;
    bool all = true;
    for_each_list(begin, end, [&](List list) {
      const int32_t* const at = list.find(first);
      all = all && list.end - at > last - first && *at == first && at[last - first] == last;
    });
    return all;
  }

  // 0 where key j + k is in no block of the row's list, for k in [begin, end); else what is there stays.
  template <typename Element>
  void hide(int64_t row, int64_t j, int begin, int end, Element* seen) const {
    const List list = list_of(rows_.query(row) / spec_.block_queries, rows_.head(row));
    int k = begin;
    for (const int32_t* at = list.find((j + begin) / spec_.block_keys); k < end; ++at) {
      const int64_t first = at == list.end ? j + end : *at * spec_.block_keys;
      const int hidden = int(std::clamp<int64_t>(first - j, k, end));
      std::fill(seen + k, seen + hidden, Element{});
      if (at == list.end) break;
      k = int(std::clamp<int64_t>(first + spec_.block_keys - j, hidden, end));
    }
  }

  // Whether all heads have the same lists.
  bool is_shared() const {
    return spec_.block_offsets_stride[1] == 0 && spec_.block_indices_stride[1] == 0;
  }

 private:
  struct List {
    const int32_t *begin, *end;

    const int32_t* find(int64_t block) const { return std::lower_bound(begin, end, block); }
  };

  // Whatever offsets hold, within the room.
  List list_of(int64_t block_row, int64_t head) const {
    const auto at = [&](const int32_t* from, const int64_t(&stride)[2]) {
      return from + rows_.batch() * stride[0] + head * stride[1];
    };
    const int32_t* const offsets = at(operands_.block_offsets, spec_.block_offsets_stride);
    const int32_t* const indices = at(operands_.block_indices, spec_.block_indices_stride);
    const int64_t first = std::clamp<int64_t>(offsets[block_row], 0, spec_.block_count);
    const int64_t last = std::clamp<int64_t>(offsets[block_row + 1], first, spec_.block_count);
    return {indices + first, indices + last};
  }

  template <typename Body>
  void for_each_list(int64_t begin, int64_t end, Body body) const {
    const int64_t heads = is_shared() ? 1 : std::min(rows_.group(), end - begin);
    const int64_t first = rows_.query(begin) / spec_.block_queries;
    const int64_t last = rows_.query(end - 1) / spec_.block_queries;
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t m = first; m <= last; ++m) body(list_of(m, rows_.head(begin + h)));
    }
  }

  const AttentionRows& rows_;
  const Spec& spec_;
  const Inputs& operands_;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
