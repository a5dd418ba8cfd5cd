// Masks with gaps: which blocks of keys are listed for a block of queries, or which pixels are near a query's
// own. What is asked of a list is found by halves, and of pixels computed: only keys that are seen take time.
#pragma once

#include <algorithm>

#include "cpu/attention/rows.h"
#include "ops/attention/pixel_window.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// The blocks of keys of one block of queries, which rise.
struct BlockList {
  const int32_t *first, *last;
  int64_t block;  // keys

  // As of a PixelWindow.
  int64_t next(int64_t key) const {
    const int32_t* const at = std::lower_bound(first, last, key / block);
    return at == last ? PixelWindow::kNone : std::max(key, *at * block);
  }
  int64_t end(int64_t key) const { return (key / block + 1) * block; }
  bool covers(int64_t from, int64_t to) const {
    const int64_t begin = from / block, end = to / block;
    const int32_t* const at = std::lower_bound(first, last, begin);
    return last - at > end - begin && *at == begin && at[end - begin] == end;
  }
};

class SparseMask {
 public:
  SparseMask(const AttentionRows& rows, const Inputs& operands)
      : rows_(rows), spec_(rows.spec()), operands_(operands), given_(is_sparse(spec_)) {}

  bool is_given() const { return given_; }

  // The first key from `key` on that it lets any of rows [begin, end) see; behind all keys if there is none.
  int64_t next_key(int64_t begin, int64_t end, int64_t key) const {
    if (!given_) return key;
    int64_t next = PixelWindow::kNone;
    for_each(begin, end, [&](const auto& seen) { next = std::min(next, seen.next(key)); });
    return next;
  }

  // Whether it lets all of rows [begin, end) see all of keys [j, j + count).
  bool lets_all(int64_t begin, int64_t end, int64_t j, int count) const {
    if (!given_) return true;
    bool all = true;
    for_each(begin, end, [&](const auto& seen) { all = all && seen.covers(j, j + count - 1); });
    return all;
  }

  // 0 where it hides key j + k from the row, for k in [begin, end); else what is there stays.
  template <typename Element>
  void hide(int64_t row, int64_t j, int begin, int end, Element* to) const {
    for_each(row, row + 1, [&](const auto& seen) {
      for (int k = begin; k < end;) {
        const int64_t next = seen.next(j + k);
        const int from = int(std::min<int64_t>(next - j, end));
        std::fill(to + k, to + from, Element{});
        if (from == end) break;
        k = int(std::min<int64_t>(seen.end(next) - j, end));
      }
    });
  }

 private:
  // Whatever offsets hold, within the room.
  BlockList list_of(int64_t block_row, int64_t head) const {
    const auto at = [&](const int32_t* from, const int64_t(&stride)[2]) {
      return from + rows_.batch() * stride[0] + head * stride[1];
    };
    const int32_t* const offsets = at(operands_.block_offsets, spec_.block_offsets_stride);
    const int32_t* const indices = at(operands_.block_indices, spec_.block_indices_stride);
    const int64_t first = std::clamp<int64_t>(offsets[block_row], 0, spec_.block_count);
    const int64_t last = std::clamp<int64_t>(offsets[block_row + 1], first, spec_.block_count);
    return {indices + first, indices + last, spec_.block_keys};
  }

  // What rows [begin, end) see, in parts of them.
  template <typename Body>
  void for_each(int64_t begin, int64_t end, Body body) const {
    if (spec_.has_image_width) {
      const int64_t width = spec_.image_width;
      const int64_t first = rows_.position(begin), last = rows_.position(end - 1);
      for (int64_t y = PixelWindow::row_of(spec_, first); y * width <= last; ++y) {
        body(PixelWindow(spec_, y, std::max<int64_t>(first - y * width, 0),
                         std::min(last - y * width, width - 1)));
      }
      return;
    }
    const bool shared = spec_.block_offsets_stride[1] == 0 && spec_.block_indices_stride[1] == 0;
    const int64_t heads = shared ? 1 : std::min(rows_.group(), end - begin);
    const int64_t first = rows_.query(begin) / spec_.block_queries;
    const int64_t last = rows_.query(end - 1) / spec_.block_queries;
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t m = first; m <= last; ++m) body(list_of(m, rows_.head(begin + h)));
    }
  }

  const AttentionRows& rows_;
  const Spec& spec_;
  const Inputs& operands_;
  const bool given_;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
