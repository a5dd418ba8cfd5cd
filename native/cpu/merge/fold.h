// The kernel of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER. Memory bounds it:
// outs are read once, lses, which are few, three times.
#pragma once

#include "core/constants.h"
#include "core/operation.h"
#include "cpu/merge/plan.h"
#include "cpu/vectors.h"

namespace fovea::merge::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// What is read for a part that a row has nothing of, and before the first.
constexpr int64_t kWidest = 512;
template <typename T>
alignas(64) constexpr T kZeros[kWidest] = {};

// Of the rows of a tile: how much of each part they have, all rows of a vector at once.
class Weights {
 public:
  Weights(const Spec& spec, const Grid& grid, const ForwardOperands& operands, const Tile& tile, Scratch& scratch)
      : spec_(spec), grid_(grid), operands_(operands), tile_(tile), scratch_(scratch) {
    std::fill_n(scratch_.lses, kRows, -kInfinity);  // rows behind the last fill a vector
    find_largest();
    add_up();
  }

  // That of part p, of every row.
  void of(int64_t part, float* to) const {
    load(part);
    each_vector([&](int64_t at) {
      store(to + at, power(scratch_.lses + at, at) * vector(scratch_.inverse + at));
    });
  }

  void store_lse() const {
    if (operands_.lse == nullptr) return;
    float* const to = operands_.lse + at(grid_.lse, tile_);
    for (int64_t head = 0; head < tile_.heads(); ++head) {
      const float* const from = scratch_.lses + head * tile_.positions();
      for (int64_t i = 0; i < tile_.positions(); ++i) {
        to[head * grid_.lse.head + i * grid_.lse.position] = from[i];
      }
    }
  }

 private:
  static vfloat vector(const float* at) { return fovea::cpu::FOVEA_TIER::load(at); }

  template <typename Body>
  void each_vector(Body body) const {
    for (int64_t at = 0; at < tile_.rows(); at += kLanes) body(at);
  }

  void load(int64_t part) const {
    const Grid::Steps& steps = grid_.lses;
    const float* const first = operands_.lses + part * spec_.lses_stride[0] + at(steps, tile_);
    const int64_t positions = tile_.positions();
    for (int64_t head = 0; head < tile_.heads(); ++head) {
      const float* const from = first + head * steps.head;
      float* const to = scratch_.lses + head * positions;
      if (steps.position == 1) {
        std::copy_n(from, positions, to);
      } else {
        for (int64_t i = 0; i < positions; ++i) to[i] = from[i * steps.position];
      }
    }
  }

  void load_sinks() const {
    for (int64_t head = 0; head < tile_.heads(); ++head) {
      std::fill_n(scratch_.lses + head * tile_.positions(), tile_.positions(),
                  operands_.sinks[tile_.head + head]);
    }
  }

  // Calls body() with the lses of each part, and with sinks, in scratch.
  template <typename Body>
  void each_part(Body body) const {
    for (int64_t part = 0; part < spec_.parts; ++part) {
      load(part);
      each_vector(body);
    }
    if (!spec_.has_sinks) return;
    load_sinks();
    each_vector(body);
  }

  // Finite, so that a part of -infinity is 0, not NaN, or +infinity, which makes the sum NaN.
  void find_largest() {
    std::fill_n(scratch_.base, kRows, -kInfinity);
    each_part([&](int64_t at) {
      store(scratch_.base + at, max(vector(scratch_.base + at), vector(scratch_.lses + at)));
    });
    each_vector([&](int64_t at) {
      const vfloat base = vector(scratch_.base + at);
      store(scratch_.base + at, select(base == splat(-kInfinity), splat(0.0f), base));
    });
  }

  vfloat power(const float* lses, int64_t at) const {
    return exp2((vector(lses) - vector(scratch_.base + at)) * splat(kLog2e));
  }

  // Leaves lse where those of parts were.
  void add_up() {
    float* const sums = scratch_.inverse;
    std::fill_n(sums, kRows, 0.0f);
    each_part([&](int64_t at) { store(sums + at, vector(sums + at) + power(scratch_.lses + at, at)); });
    each_vector([&](int64_t at) {
      const vfloat sum = vector(sums + at);
      store(scratch_.lses + at, vector(scratch_.base + at) + log2(sum) * splat(float(kLn2)));
      store(sums + at, select(sum == splat(0.0f), sum, splat(1.0f) / sum));
    });
  }

  const Spec& spec_;
  const Grid& grid_;
  const ForwardOperands& operands_;
  const Tile& tile_;
  Scratch& scratch_;
};

// Rows of parts and their weights, on top of sums.
template <int kCount, typename T>
struct Some {
  const T* rows[kCount];
  vfloat weights[kCount];
  const float* before;

  vfloat at(int64_t c) const {
    vfloat sum = load(before + c);
#pragma GCC unroll 4
    for (int k = 0; k < kCount; ++k) sum = fma(load_vector(rows[k] + c), weights[k], sum);
    return sum;
  }

  vfloat last(int64_t c, int64_t count) const {
    vfloat sum = load(before + c);
#pragma GCC unroll 4
    for (int k = 0; k < kCount; ++k) sum = fma(load_first(rows[k] + c, count), weights[k], sum);
    return sum;
  }
};

// The rows of a tile in the order in which the parts have them: where the first lies, and steps to the others.
template <typename T>
struct Rows {
  T* data;
  int64_t outer, inner;
};

struct Walk {
  bool heads_first;
  int64_t outer, inner;  // counts

  Walk(const Grid& grid, const Tile& tile)
      : heads_first(grid.is_heads_first()),
        outer(heads_first ? tile.positions() : tile.heads()),
        inner(heads_first ? tile.heads() : tile.positions()) {}

  template <typename T>
  Rows<T> rows(T* data, int64_t position_step, int64_t head_step) const {
    return heads_first ? Rows<T>{data, position_step, head_step} : Rows<T>{data, head_step, position_step};
  }
};

// Of kCount parts, `step` apart. Sums take a row as out does.
template <int kCount, typename T, typename O>
struct Adding {
  const Walk& walk;
  Rows<const T> outs;
  int64_t step;
  Rows<const float> weights;
  Rows<const float> before;
  Rows<O> to;
  int64_t columns;
  bool streams;

  [[gnu::noinline]] void run() const {
    const Adding own = *this;  // which no store changes
    for (int64_t i = 0; i < walk.outer; ++i) {
      for (int64_t j = 0; j < walk.inner; ++j) own.row(i, j);
    }
  }

 private:
  template <typename E>
  static E* at(const Rows<E>& rows, int64_t i, int64_t j) {
    return rows.data + i * rows.outer + j * rows.inner;
  }

  [[gnu::always_inline]] inline void row(int64_t i, int64_t j) const {
    Some<kCount, T> some;
    some.before = at(before, i, j);
    const T* const from = at(outs, i, j);
    const float* const weight = at(weights, i, j);
#pragma GCC unroll 4
    for (int k = 0; k < kCount; ++k) {
      some.weights[k] = splat(weight[k * kRows]);
      some.rows[k] = weight[k * kRows] == 0 ? kZeros<T> : from + k * step;
    }
    O* const out = at(to, i, j);
    int64_t c = 0;
    for (; c + 16 <= columns; c += 16) {
      put16(out + c, streams, [&](int64_t e) { return some.at(c + e); });
    }
    for (; c + kLanes <= columns; c += kLanes) store_vector(out + c, some.at(c));
    if (c < columns) store_first(out + c, some.last(c, columns - c), columns - c);
  }
};

// An output this large whose rows are whole lines of a cache.
inline bool is_streamed(const Spec& spec, const void* out) {
  const int64_t bytes = element_bytes(spec.out_dtype);
  const double all = double(spec.batch) * double(spec.query_length) * double(spec.query_heads) *
                     double(spec.value_head_dim * bytes);
  if (all < double(kStreamedBytes)) return false;
  int64_t places = reinterpret_cast<intptr_t>(out) | spec.value_head_dim * bytes;
  const int64_t sizes[] = {spec.batch, spec.query_length, spec.query_heads};
  for (int i = 0; i < 3; ++i) {
    if (sizes[i] > 1) places |= spec.out_stride[i] * bytes;
  }
  return places % 64 == 0;
}

template <typename T, typename O>
void merge_tile(const Spec& spec, const Grid& grid, const ForwardOperands& operands, const Tile& tile,
                bool streams, Scratch& scratch) {
  const Weights weights(spec, grid, operands, tile, scratch);
  weights.store_lse();
  const Walk walk(grid, tile);
  const T* const outs = static_cast<const T*>(operands.outs) + at(grid.outs, tile);
  const int64_t step = spec.outs_stride[0];
  const Rows<O> out = walk.rows(static_cast<O*>(operands.out) + at(grid.out, tile), grid.out.position, grid.out.head);
  const Rows<float> sums = {scratch.sums, walk.inner * row_of(spec), row_of(spec)};
  for (int64_t part = 0; part < spec.parts; part += kTogether) {
    const int64_t count = std::min<int64_t>(kTogether, spec.parts - part);
    for (int64_t k = 0; k < count; ++k) weights.of(part + k, scratch.weights[k]);
    const auto add = [&](auto number, const auto& rows, bool past) {
      using Element = std::remove_pointer_t<decltype(rows.data)>;
      Adding<number, T, Element>{walk,
                                 walk.rows(outs + part * step, grid.outs.position, grid.outs.head),
                                 step,
                                 walk.rows<const float>(scratch.weights[0], 1, tile.positions()),
                                 part == 0 ? Rows<const float>{kZeros<float>, 0, 0}
                                           : Rows<const float>{sums.data, sums.outer, sums.inner},
                                 rows,
                                 spec.value_head_dim,
                                 past}
          .run();
    };
    if (part + count < spec.parts) {
      add(std::integral_constant<int, kTogether>{}, sums, false);
      continue;
    }
    const auto last = [&](auto number) { add(number, out, streams); };
    if (count == 1) last(std::integral_constant<int, 1>{});
    if (count == 2) last(std::integral_constant<int, 2>{});
    if (count == 3) last(std::integral_constant<int, 3>{});
    if (count == 4) last(std::integral_constant<int, 4>{});
  }
}

void run_items(const backend::Run& run, const fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  Scratch& scratch = *static_cast<Scratch*>(run.scratch);
  const Grid grid(spec);
  const bool streams = is_streamed(spec, operands.out);
  with_type(spec.dtype, [&](auto part) {
    with_type(spec.out_dtype, [&](auto out) {
      for (int64_t item = call.begin; item < call.end; ++item) {
        merge_tile<decltype(part), decltype(out)>(spec, grid, operands, tile_of(run.plan, grid, item),
                                                  streams, scratch);
      }
    });
  });
  if (streams) end_streams();
}

}  // namespace fovea::merge::cpu::FOVEA_TIER
