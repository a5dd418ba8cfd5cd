// The kernel of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER. Rows that are not of a
// floating type in the cache are read twice: for their scale, and then, near by, for themselves.
#pragma once

#include <bit>

#include "cpu/append/kernels.h"
#include "cpu/cache_types.h"
#include "cpu/rotary/row.h"
#include "ops/append/scale.h"

namespace fovea::append::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;
namespace turn = fovea::rotary::cpu::FOVEA_TIER;

inline vint larger(vint x, vint y) {
#if defined(__AVX512F__)
  return vint(_mm512_max_epi32(__m512i(x), __m512i(y)));
#elif defined(__AVX2__)
  return vint(_mm256_max_epi32(__m256i(x), __m256i(y)));
#else
  const vint more = x > y;
  return (more & x) | (~more & y);
#endif
}

inline int32_t largest_lane(vint v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_epi32(__m512i(v));
#else
  v = larger(v, shuffled<4, 5, 6, 7, 0, 1, 2, 3>(v));
  v = larger(v, shuffled<2, 3, 0, 1, 6, 7, 4, 5>(v));
  return std::max(v[0], v[1]);
#endif
}

// The bits of the largest magnitude of a row.
template <typename From>
inline int32_t largest_of(const From* row, int64_t columns) {
  vint even = {}, odd = {};  // neither waits for the other
  const auto take = [](vint& largest, vfloat x) { largest = larger(bits(magnitude(x)), largest); };
  int64_t c = 0;
  for (; c + 2 * kLanes <= columns; c += 2 * kLanes) {
    take(even, load_vector(row + c));
    take(odd, load_vector(row + c + kLanes));
  }
  if (c + kLanes <= columns) {
    take(even, load_vector(row + c));
    c += kLanes;
  }
  if (c < columns) take(odd, load_first(row + c, columns - c));
  return largest_lane(larger(even, odd));
}

template <typename C, typename From>
inline void put_row(const From* from, int64_t columns, float factor, char* to) {
  const auto scaled = [&](vfloat x) { return sizeof(C) == 1 ? x * splat(factor) : x; };
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) store_lanes<C>(to, c, scaled(load_vector(from + c)));
  if (c == columns) return;
  const int64_t rest = columns - c;
  store_some_lanes<C>(to, c, scaled(load_first(from + c, rest)), rest);
}

// Rows of one byte each element, times `factor`, where they are.
template <typename C>
inline void scale_row(char* row, int64_t columns, float factor) {
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) {
    store_lanes<C>(row, c, load_lanes<C>(row, c) * splat(factor));
  }
  if (c == columns) return;
  const int64_t rest = columns - c;
  store_some_lanes<C>(row, c, load_some_lanes<C>(row, c, rest) * splat(factor), rest);
}

template <typename T, typename C>
class Store {
  static constexpr bool kQuantized = sizeof(C) == 1;

 public:
  Store(const Spec& spec, const ForwardOperands& operands, const Rows& rows, const Tile& tile, float* held)
      : spec_(spec),
        operands_(operands),
        rows_(rows),
        tile_(tile),
        held_(held),
        rooms_(int64_t(std::bit_floor(uint64_t(kHeldElements / round_to_vectors(rows.columns))))) {
    if (!spec.has_block_table) return;
    pages_ = operands.block_table + tile.batch * spec.block_table_stride[0];
    shift_ = std::countr_zero(uint64_t(spec.page_size));
  }

  void run() {
    if (!rows_.shares_scale()) return each_row();
    for (int64_t first = tile_.first; first < tile_.end;) {
      const int64_t end = std::min(tile_.end, end_of_page(first));
      for (int64_t head = tile_.head; head < tile_.head_end; ++head) put_rows(first, end, head);
      first = end;
    }
  }

 private:
  // As the new ones lie.
  void each_row() {
    const int64_t(&stride)[3] = rows_.from_stride;
    if (tile_.end - tile_.first == 1 || stride[1] >= stride[2]) {
      for (int64_t row = tile_.first; row < tile_.end; ++row) {
        for (int64_t head = tile_.head; head < tile_.head_end; ++head) put_rows(row, row + 1, head);
      }
    } else {
      for (int64_t head = tile_.head; head < tile_.head_end; ++head) {
        for (int64_t row = tile_.first; row < tile_.end; ++row) put_rows(row, row + 1, head);
      }
    }
  }

  // Of the rows, before them where it is below 0, that are in the page of a new one.
  int64_t first_of_page(int64_t row) const {
    if (pages_ == nullptr) return -tile_.sequence.start;
    return row - ((tile_.sequence.start + row) & (spec_.page_size - 1));
  }
  int64_t end_of_page(int64_t row) const {
    return pages_ == nullptr ? tile_.end : first_of_page(row) + spec_.page_size;
  }

  // Where row `row` of the cache lies, in a tensor of strides (batch or page, row); `head` is the step to a head.
  int64_t offset_of(const int64_t* stride, int64_t row, int64_t head) const {
    if (pages_ == nullptr) return tile_.batch * stride[0] + row * stride[1] + head;
    return pages_[row >> shift_] * stride[0] + (row & (spec_.page_size - 1)) * stride[1] + head;
  }

  // New rows that have one scale between them, or none.
  void put_rows(int64_t first, int64_t end, int64_t head) {
    const float factor = kQuantized && rows_.scaled ? put_scale(first, end, head) : 1.0f;
    for (int64_t row = first; row < end; ++row) {
      char* const to = cache_row(row, head);
      if constexpr (std::is_same_v<T, C>) {
        if (rows_.pairs == 0) {
          std::memcpy(to, new_row(row, head), size_t(rows_.columns) * sizeof(T));
          continue;
        }
      }
      if (!kQuantized && rows_.pairs > 0) {
        if constexpr (!kQuantized) rotate(row, head, reinterpret_cast<C*>(to));
        continue;
      }
      with_row(row, head, [&](const auto* from) { put_row<C>(from, rows_.columns, factor, to); });
    }
  }

  // What elements are multiplied by.
  float put_scale(int64_t first, int64_t end, int64_t head) {
    int32_t largest = 0;
    for (int64_t row = first; row < end; ++row) {
      with_row(row, head,
               [&](const auto* from) { largest = std::max(largest, largest_of(from, rows_.columns)); });
    }
    float& at = rows_.scales[offset_of(rows_.scales_stride, tile_.sequence.start + first, head)];
    if constexpr (kQuantized) {
      at = rows_.shares_scale() ? page_scale(largest, at, first, head) : scale_of_row(largest, kMostOf<C>);
    }
    return inverse_of(at);
  }

  float page_scale(int32_t largest, const float& earlier, int64_t first, int64_t head) const {
    const float needed = scale_of_page(largest, kMostOf<C>);
    const int64_t begin = first_of_page(first);
    if (begin == first) return needed;
    const float scale = larger_scale(earlier, needed);
    for (int64_t row = begin; scale > earlier && row < first; ++row) {
      if constexpr (kQuantized) scale_row<C>(cache_row(row, head), rows_.columns, earlier / scale);
    }
    return scale;
  }

  // Of the new rows, or of those before them where it is below 0.
  char* cache_row(int64_t row, int64_t head) const {
    const int64_t offset = offset_of(rows_.cache_stride, tile_.sequence.start + row, head * rows_.cache_stride[2]);
    return static_cast<char*>(rows_.cache) + offset * int64_t{sizeof(C)};
  }

  const T* new_row(int64_t row, int64_t head) const {
    const int64_t(&stride)[3] = rows_.from_stride;
    return static_cast<const T*>(rows_.from) + tile_.batch * stride[0] +
           (tile_.sequence.origin + row) * stride[1] + head * stride[2];
  }

  // Calls body(from) with the row as it is stored, but for a factor. Of those that were rotated the last are held.
  template <typename Body>
  void with_row(int64_t row, int64_t head, Body body) {
    if (rows_.pairs == 0) return body(new_row(row, head));
    float* const at = held_ + (row & (rooms_ - 1)) * round_to_vectors(rows_.columns);
    if (head != held_head_ || row < held_first_ || row >= held_end_) {
      rotate(row, head, at);
      if (head != held_head_ || row != held_end_) held_first_ = row;
      held_head_ = head;
      held_end_ = row + 1;
      held_first_ = std::max(held_first_, held_end_ - rooms_);
    }
    body(static_cast<const float*>(at));
  }

  template <typename To>
  void rotate(int64_t row, int64_t head, To* to) const {
    const int64_t position = position_of(spec_, operands_, tile_.batch, tile_.sequence, row);
    const turn::Angles angles = {
        operands_.cosines + tile_.batch * spec_.cosines_stride[0] + position * spec_.cosines_stride[1],
        operands_.sines + tile_.batch * spec_.sines_stride[0] + position * spec_.sines_stride[1], 1};
    const turn::Row<T, To> turned = {new_row(row, head), to, rows_.pairs, rows_.columns, false};
    if (spec_.interleaved) {
      turned.turn_neighbours(angles);
    } else {
      turned.turn_halves(angles);
    }
    turned.copy_rest();
  }

  const Spec& spec_;
  const ForwardOperands& operands_;
  const Rows& rows_;
  const Tile& tile_;
  const int32_t* pages_ = nullptr;
  int shift_ = 0;
  float* const held_;  // a power of two of rows, of one head
  const int64_t rooms_;
  int64_t held_head_ = -1, held_first_ = 0, held_end_ = 0;
};

void store_tile(const Spec& spec, const ForwardOperands& operands, const Tile& tile, float* held) {
  const Rows both[] = {keys_of(spec, operands), values_of(spec, operands)};
  with_type(spec.dtype, [&](auto from) {
    with_cache_type(spec.cache_dtype, [&](auto to) {
      for (const Rows& rows : both) {
        if (rows.columns == 0) continue;
        Store<decltype(from), decltype(to)>(spec, operands, rows, tile, held).run();
      }
    });
  });
}

}  // namespace fovea::append::cpu::FOVEA_TIER
