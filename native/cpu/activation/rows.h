// Pieces of rows of any type, some vectors at a time: which type it is, is asked of every block of them, which
// takes nothing beside the memory that it waits for, and would be 27 loops otherwise.
#pragma once

#include "core/backend.h"
#include "cpu/activation/layout.h"
#include "cpu/dropout.h"
#include "cpu/vectors.h"

namespace fovea::activation::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// Some columns of a row. A few strips are walked side by side: a processor that reads one after the other waits more
// for memory.
struct Strip {
  int64_t b, s, column, count;
};
constexpr int kStrips = 4;
constexpr int64_t kColumns = 4096, kDrawn = 256;  // of a strip at most; with dropout

// A tensor that is read, or is not there.
struct Source {
  const char* data;
  int32_t dtype, bytes;
  int64_t batch, row;  // strides

  Source(bool there, const void* at, int32_t type, const int64_t (&stride)[2])
      : data(there ? static_cast<const char*>(at) : nullptr),
        dtype(type),
        bytes(element_bytes(type)),
        batch(stride[0]),
        row(stride[1]) {}

  const char* at(const Strip& it) const {
    return data == nullptr ? nullptr : data + (it.b * batch + it.s * row + it.column) * bytes;
  }
};

// The strides of a row that all have.
constexpr int64_t kShared[2] = {0, 0};

// One that is written; `streams`: past the caches, where it is large and its pieces are whole lines.
struct Target : Source {
  bool streams;

  Target(bool there, void* at, int32_t type, const int64_t (&stride)[2], const Cut& cut)
      : Source(there, at, type, stride) {
    const auto lines = [&](int64_t size, int64_t step) { return size <= 1 || step * bytes % 64 == 0; };
    const Grid& grid = cut.grid;
    streams = grid.rows() * grid.width * bytes >= kStreamedBytes &&
              reinterpret_cast<uintptr_t>(at) % 64 == 0 && lines(grid.batch, batch) &&
              lines(grid.length, row) && lines(cut.column_tiles, cut.tile_columns);
  }

  char* at(const Strip& it) const { return const_cast<char*>(Source::at(it)); }
};

// What a step has of a strip: so many whole vectors, or the first elements of one.
constexpr int kMost = 4;
template <int kVectors>
struct Whole {
  static constexpr int kCount = kVectors;
};
struct First {
  static constexpr int kCount = 1;
  int64_t elements;
};

// v[k] = make(k) of every vector; in registers, since the loop is none.
template <int kCount, typename Make>
inline void make_each(vfloat (&v)[kCount], Make make) {
#pragma GCC unroll 4
  for (int k = 0; k < kCount; ++k) v[k] = make(k);
}

// Calls step(which, i) for the elements of a strip.
template <typename Step>
inline void for_each_step(int64_t end, Step step) {
  int64_t i = 0;
  for (; i + kMost * kLanes <= end; i += kMost * kLanes) step(Whole<kMost>{}, i);
  for (; i + kLanes <= end; i += kLanes) step(Whole<1>{}, i);
  if (i < end) step(First{end - i}, i);
}

// Brings into L2 what is read some steps later: while a function is computed, a processor does not come to ask
// for it.
template <size_t kBytes>
inline void fetch(const void* p) {
  constexpr size_t kAhead = 2048;
#pragma GCC unroll 8
  for (size_t at = 0; at < kBytes; at += 64) {
    __builtin_prefetch(static_cast<const char*>(p) + kAhead + at, 0, 2);
  }
}

template <int kVectors>
inline void load_all(Whole<kVectors>, const char* from, int32_t dtype, int64_t i,
                     vfloat (&v)[kVectors]) {
  with_type(dtype, [&](auto zero) {
    const auto* const p = reinterpret_cast<const decltype(zero)*>(from) + i;
    if constexpr (kVectors == kMost) fetch<kVectors * kLanes * sizeof zero>(p);
    make_each(v, [&](int k) { return load_vector(p + k * kLanes); });
  });
}
inline void load_all(First first, const char* from, int32_t dtype, int64_t i, vfloat (&v)[1]) {
  with_type(dtype, [&](auto zero) {
    v[0] = load_first(reinterpret_cast<const decltype(zero)*>(from) + i, first.elements);
  });
}

template <int kVectors>
inline void store_all(Whole<kVectors>, char* to, const Target& target, int64_t i,
                      const vfloat (&v)[kVectors]) {
  with_type(target.dtype, [&](auto zero) {
    auto* const p = reinterpret_cast<decltype(zero)*>(to) + i;
    if constexpr (kVectors == kMost) {
      if (target.streams) {
        stream_vectors(p, v[0], v[1]);
        return stream_vectors(p + 2 * kLanes, v[2], v[3]);
      }
    }
#pragma GCC unroll 4
    for (int k = 0; k < kVectors; ++k) store_vector(p + k * kLanes, v[k]);
  });
}
inline void store_all(First first, char* to, const Target& target, int64_t i, const vfloat (&v)[1]) {
  with_type(target.dtype, [&](auto zero) {
    store_first(reinterpret_cast<decltype(zero)*>(to) + i, v[0], first.elements);
  });
}

// What dropout keeps of some strips.
class Dropout {
 public:
  Dropout(const Spec& spec, const fovea_call& call, bool draws)
      : call_(call),
        threshold_(draws ? dropout_threshold(spec.dropout) : 0),
        scale_(dropout_scale(threshold_)) {}

  // Where nothing is dropped, all is kept as it is.
  bool drops() const { return threshold_ > 0; }
  vfloat scale() const { return splat(scale_); }

  // Masks of the columns of a strip, of which the first is a multiple of 32; null where nothing is dropped.
  const int32_t* draw(const Strip& strip, int slot) {
    if (!drops()) return nullptr;
    // Rows that are narrow would pay for what they do not have.
    if (strip.count <= kFew) {
      draw<kFew>(strip, kept_[slot]);
    } else {
      draw<kDrawn>(strip, kept_[slot]);
    }
    return kept_[slot];
  }

 private:
  static constexpr int kFew = 64;

  template <int kMost>
  [[gnu::noinline]] void draw(const Strip& it, int32_t* kept) const {
    draw_kept<kMost>(call_, threshold_, it.s, it.b, it.column, int(it.count), kept);
  }

  const fovea_call& call_;
  const uint32_t threshold_;
  const float scale_;
  alignas(64) int32_t kept_[kStrips][kDrawn] = {};
};

// v where it is kept, else 0.
inline vfloat keep(vfloat v, const int32_t* kept) { return from_bits(bits(v) & load(kept)); }

// Calls run(rows, how_many, count) for strips of a tile that are walked side by side, with make(strip, slot) of each.
template <typename Make, typename Run>
inline void for_each_group(const Cut& cut, const Tile& tile, bool drops, Make make, Run run) {
  const Grid& grid = cut.grid;
  const int64_t longest = drops ? kDrawn : kColumns;
  decltype(make(Strip{}, 0)) rows[kStrips];
  int many = 0;
  int64_t count = 0;
  int64_t b = tile.first / grid.length, s = tile.first % grid.length;
  for (int64_t row = tile.first; row < tile.end; ++row) {
    for (int64_t column = tile.column; column < tile.last; column += longest) {
      const int64_t here = std::min(longest, tile.last - column);
      if (many == kStrips || (many > 0 && here != count)) {
        run(rows, many, count);
        many = 0;
      }
      count = here;
      rows[many] = make(Strip{b, s, column, count}, many);
      ++many;
    }
    if (++s == grid.length) s = 0, ++b;
  }
  if (many > 0) run(rows, many, count);
}

}  // namespace fovea::activation::cpu::FOVEA_TIER
