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
  Weights(const Spec& spec, const ForwardOperands& operands, const Tile& tile, Scratch& scratch)
      : spec_(spec), operands_(operands), tile_(tile), scratch_(scratch) {
    place();
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
    each_row([&](int64_t row, int64_t position, int64_t head) {
      operands_.lse[tile_.batch * spec_.lse_stride[0] + head * spec_.lse_stride[1] + position] =
          scratch_.lses[row];
    });
  }

 private:
  static vfloat vector(const float* at) { return fovea::cpu::FOVEA_TIER::load(at); }

  template <typename Body>
  void each_vector(Body body) const {
    for (int64_t at = 0; at < tile_.rows(); at += kLanes) body(at);
  }

  // Calls body(row, position, head) in the order of the tile.
  template <typename Body>
  void each_row(Body body) const {
    int64_t row = 0;
    if (is_heads_first(spec_)) {
      for (int64_t position = tile_.first; position < tile_.end; ++position) {
        for (int64_t head = tile_.head; head < tile_.head_end; ++head) body(row++, position, head);
      }
    } else {
      for (int64_t head = tile_.head; head < tile_.head_end; ++head) {
        for (int64_t position = tile_.first; position < tile_.end; ++position) body(row++, position, head);
      }
    }
  }

  // Rows behind the last fill a vector.
  void place() {
    std::fill_n(scratch_.lses, kRows, -kInfinity);
    each_row([&](int64_t row, int64_t position, int64_t head) {
      scratch_.lses_at[row] =
          tile_.batch * spec_.lses_stride[1] + head * spec_.lses_stride[2] + position;
      scratch_.outs_at[row] = tile_.batch * spec_.outs_stride[1] +
                              position * spec_.outs_stride[2] + head * spec_.outs_stride[3];
      scratch_.out_at[row] = tile_.batch * spec_.out_stride[0] + position * spec_.out_stride[1] +
                             head * spec_.out_stride[2];
    });
  }

  void load(int64_t part) const {
    const float* const from = operands_.lses + part * spec_.lses_stride[0];
    const int64_t rows = tile_.rows();
    for (int64_t row = 0; row < rows; ++row) scratch_.lses[row] = from[scratch_.lses_at[row]];
  }

  void load_sinks() const {
    each_row([&](int64_t row, int64_t, int64_t head) { scratch_.lses[row] = operands_.sinks[head]; });
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
  const ForwardOperands& operands_;
  const Tile& tile_;
  Scratch& scratch_;
};

// Rows of parts and their weights, on top of sums.
template <typename T>
struct Some {
  const T* rows[kTogether];
  float weights[kTogether];
};

template <typename T>
[[gnu::noinline]] void add_some(const Some<T>& given, const float* before, float* after, int64_t columns) {
  const Some<T> some = given;  // which no store changes
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) {
    vfloat sum = load(before + c);
#pragma GCC unroll 4
    for (int k = 0; k < kTogether; ++k) {
      sum = fma(load_vector(some.rows[k] + c), splat(some.weights[k]), sum);
    }
    store(after + c, sum);
  }
  if (c == columns) return;
  vfloat sum = load(before + c);
  for (int k = 0; k < kTogether; ++k) {
    sum = fma(load_first(some.rows[k] + c, columns - c), splat(some.weights[k]), sum);
  }
  store(after + c, sum);
}

template <typename O>
[[gnu::noinline]] void round_row(const float* sums, O* to, int64_t columns, bool streams) {
  int64_t c = 0;
  for (; c + 16 <= columns; c += 16) {
    put16(to + c, streams, [&](int64_t i) { return load(sums + c + i); });
  }
  for (; c + kLanes <= columns; c += kLanes) store_vector(to + c, load(sums + c));
  if (c < columns) store_first(to + c, load(sums + c), columns - c);
}

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
void merge_tile(const Spec& spec, const ForwardOperands& operands, const Tile& tile, bool streams,
                Scratch& scratch) {
  const Weights weights(spec, operands, tile, scratch);
  weights.store_lse();
  const int64_t rows = tile.rows(), columns = spec.value_head_dim;
  const auto* const outs = static_cast<const T*>(operands.outs);
  // Sums of one row are enough where no other parts come.
  const int64_t step = spec.parts > kTogether ? row_of(spec) : 0;
  for (int64_t part = 0; part < spec.parts; part += kTogether) {
    const int64_t count = std::min<int64_t>(kTogether, spec.parts - part);
    for (int64_t k = 0; k < count; ++k) weights.of(part + k, scratch.weights[k]);
    for (int64_t row = 0; row < rows; ++row) {
      Some<T> some;
      for (int64_t k = 0; k < kTogether; ++k) {
        const float weight = k < count ? scratch.weights[k][row] : 0;
        some.weights[k] = weight;
        some.rows[k] =
            weight == 0 ? kZeros<T> : outs + (part + k) * spec.outs_stride[0] + scratch.outs_at[row];
      }
      float* const sums = scratch.sums + row * step;
      add_some(some, part == 0 ? kZeros<float> : sums, sums, columns);
      if (part + count < spec.parts) continue;
      round_row(sums, static_cast<O*>(operands.out) + scratch.out_at[row], columns, streams);
    }
  }
}

void run_items(const backend::Run& run, const fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  Scratch& scratch = *static_cast<Scratch*>(run.scratch);
  const bool streams = is_streamed(spec, operands.out);
  with_type(spec.dtype, [&](auto part) {
    with_type(spec.out_dtype, [&](auto out) {
      for (int64_t item = call.begin; item < call.end; ++item) {
        merge_tile<decltype(part), decltype(out)>(spec, operands, tile_of(run.plan, item), streams,
                                                  scratch);
      }
    });
  });
  if (streams) end_streams();
}

}  // namespace fovea::merge::cpu::FOVEA_TIER
