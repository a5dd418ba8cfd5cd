// The backward pass: dx of rows, and what these add to dweight and dbias, then the sums of these.
#pragma once

#include "cpu/norm/kernels.h"
#include "cpu/norm/rows.h"

namespace fovea::norm::cpu::FOVEA_TIER {

// What dx has of a row, beside its elements: z, and the means of g and g z.
struct Gradient : Moments {
  float mean_g = 0, mean_gz = 0;
};

// A row and the sums that its gradient is found from: of d and d^2, of g and g d.
template <typename T, typename O>
struct BackwardRow {
  const T* x;
  const O* dout;
  const float* weight;
  Gradient m;
  double totals[4];

  BackwardRow(const T* row, const O* gradient, const float* of_head, const Spec& spec)
      : x(row), dout(gradient), weight(of_head) {
    m.pivot = pivot_of(x, spec);
  }

  auto adder() const {
    return [x = x, dout = dout, weight = weight, pivot = m.pivot]<typename V>(int64_t i, V (&to)[4]) {
      if constexpr (!std::is_same_v<V, float>) {
        fetch_behind(x + i);
        fetch_behind(dout + i);
      }
      const V d = get<V>(x + i) - pivot;
      V g = get<V>(dout + i);
      if (weight != nullptr) g *= get<V>(weight + i);
      to[0] += d;
      to[1] = fma(d, d, to[1]);
      to[2] += g;
      to[3] = fma(g, d, to[3]);
    };
  }

  // Its sums without another row that is written.
  [[gnu::noinline, gnu::flatten]] void add(const Spec& spec) {
    sweep<true, false>(spec.width, totals, adder(), static_cast<T*>(nullptr), false, [](auto...) {});
  }

  void find_gradient(double share, const Spec& spec) {
    for (int tries = 1; !m.find(totals[0], totals[1], share, spec, tries == kTries); ++tries) add(spec);
    m.mean_g = spec.centered ? float(totals[2] * share) : 0.0f;
    m.mean_gz = float((totals[3] - double(m.rest) * totals[2]) * share * double(m.inverse));
  }
};

// dx = inverse (g - mean_g - z mean_gz), and the sums of dout z and dout that a row is added to; null for none.
template <typename G>
struct RowGradient {
  G* dx;
  float *products, *sums;
  bool adds;

  template <typename T, typename O>
  auto maker(const BackwardRow<T, O>& row) const {
    return [x = row.x, dout = row.dout, weight = row.weight, m = row.m, to = *this]<typename V>(int64_t i, V) {
      const V z = m.z(get<V>(x + i));
      const V gradient = get<V>(dout + i);
      const V g = weight == nullptr ? gradient : V(gradient * get<V>(weight + i));
      if (to.sums != nullptr) {
        put(to.products + i, fma(gradient, z, get<V>(to.products + i)));
        put(to.sums + i, get<V>(to.sums + i) + gradient);
      }
      const V off = fma(z, all<V>(-m.mean_gz * m.inverse), all<V>(-m.mean_g * m.inverse));
      const V v = fma(g, all<V>(m.inverse), off);
      return to.adds ? V(v + get<V>(to.dx + i)) : v;
    };
  }
};

template <typename T, typename O, typename G>
[[gnu::noinline, gnu::flatten]] void differentiate(const BackwardRun& run, int64_t part) {
  const Spec& spec = run.spec;
  const BackwardOperands& operands = run.operands;
  const Rows<const T> x = {static_cast<const T*>(operands.x), spec.x_stride};
  const Rows<const O> dout = {static_cast<const O*>(operands.dout), spec.dout_stride};
  const Rows<G> dx = {static_cast<G*>(operands.dx), spec.dx_stride};
  const bool streams = !spec.accumulate_dx && is_streamed(spec, dx);
  const bool wanted = has_sums(spec);
  const int64_t width = spec.width, length = run.parts.row;
  const double share = 1 / double(width);
  if (wanted) {
    std::fill_n(run.workspace + run.parts.offset(part, 0), run.parts.heads * 2 * length, 0.0f);
  }
  const auto row_at = [&](const Walk& walk) {
    return BackwardRow<T, O>(x.at(walk), dout.at(walk),
                             of_head(operands.weight, walk, spec.weight_stride), spec);
  };
  Walk walk(spec, run.parts.tile(part), spec.dx_stride), next = walk;
  if (!walk.there()) return;
  BackwardRow<T, O> row = row_at(walk);
  row.add(spec);
  for (; walk.there(); walk = next) {
    row.find_gradient(share, spec);
    RowGradient<G> to = {dx.at(walk), nullptr, nullptr, spec.accumulate_dx != 0};
    if (wanted) {
      to.products = run.workspace + run.parts.offset(part, run.parts.heads == 1 ? 0 : walk.head());
      to.sums = to.products + length;
    }
    const auto make = to.maker(row);
    next.step();
    if (next.there()) {
      row = row_at(next);
      sweep<true, true>(width, row.totals, row.adder(), to.dx, streams, make);
    } else {
      sweep<false, true>(width, row.totals, row.adder(), to.dx, streams, make);
    }
  }
  if (streams) end_streams();
}

// Columns [begin, end) of a gradient of weight or bias: the parts of a head, or of all, added up.
inline void sum_parts(const BackwardRun& run, bool products, int64_t head, bool shared, int64_t begin,
                      int64_t end, float* to) {
  const Parts& parts = run.parts;
  const int64_t count = end - begin;
  const int64_t first = shared ? 0 : head, last = shared ? parts.heads : head + 1;
  double totals[kSumColumns] = {};
  for (int64_t part = 0; part < parts.count; ++part) {
    for (int64_t h = first; h < last; ++h) {
      const float* const from =
          run.workspace + parts.offset(part, h) + (products ? 0 : parts.row) + begin;
      for (int64_t c = 0; c < count; ++c) totals[c] += double(from[c]);
    }
  }
  for (int64_t c = 0; c < count; ++c) {
    to[begin + c] = float(run.spec.accumulate ? double(to[begin + c]) + totals[c] : totals[c]);
  }
}

inline void sum_columns(const BackwardRun& run, int64_t item) {
  const Spec& spec = run.spec;
  const int64_t blocks = sum_blocks(spec), head = item / blocks;
  const int64_t begin = item % blocks * kSumColumns, end = std::min(begin + kSumColumns, spec.width);
  const auto sum = [&](bool products, float* to, int64_t stride) {
    const bool shared = stride == 0;
    if (shared && head > 0) return;
    sum_parts(run, products, head, shared, begin, end, to + head * stride);
  };
  if (spec.has_dweight) sum(true, run.operands.dweight, spec.dweight_stride[0]);
  if (spec.has_dbias) sum(false, run.operands.dbias, spec.dbias_stride[0]);
}

void run_backward(const BackwardRun& run, int32_t phase, int64_t item) {
  if (phase == kSumPhase) return sum_columns(run, item);
  with_type(run.spec.dtype, [&](auto x) {
    with_type(run.spec.out_dtype, [&](auto dout) {
      with_type(run.spec.gradient_dtype, [&](auto dx) {
        differentiate<decltype(x), decltype(dout), decltype(dx)>(run, item);
      });
    });
  });
}

}  // namespace fovea::norm::cpu::FOVEA_TIER
