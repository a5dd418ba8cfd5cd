// The forward pass.
#pragma once

#include "cpu/norm/kernels.h"
#include "cpu/norm/rows.h"

namespace fovea::norm::cpu::FOVEA_TIER {

// A row and the sums that its moments are found from.
template <typename T>
struct ForwardRow {
  const T* x;
  Moments m;
  double totals[2];

  ForwardRow(const T* from, const Spec& spec) : x(from) { m.pivot = pivot_of(from, spec); }

  auto adder() const {
    return [x = x, pivot = m.pivot]<typename V>(int64_t i, V (&to)[2]) {
      if constexpr (!std::is_same_v<V, float>) fetch_behind(x + i);
      const V d = get<V>(x + i) - pivot;
      to[0] += d;
      to[1] = fma(d, d, to[1]);
    };
  }

  // Its sums without another row that is written.
  [[gnu::noinline, gnu::flatten]] void add(const Spec& spec) {
    sweep<true, false>(spec.width, totals, adder(), static_cast<T*>(nullptr), false, [](auto...) {});
  }

  void find_moments(double share, const Spec& spec) {
    for (int tries = 1; !m.find(totals[0], totals[1], share, spec, tries == kTries); ++tries) add(spec);
  }
};

// out = z weight + bias.
struct Output {
  const float *weight, *bias;

  template <typename T>
  auto maker(const ForwardRow<T>& row) const {
    return [x = row.x, m = row.m, weight = weight, bias = bias]<typename V>(int64_t i, V) {
      V v = m.z(get<V>(x + i));
      if (weight != nullptr) v *= get<V>(weight + i);
      if (bias != nullptr) v += get<V>(bias + i);
      return v;
    };
  }
};

template <typename T, typename O>
[[gnu::noinline, gnu::flatten]] void normalize(const Spec& spec, const ForwardOperands& operands,
                                               const Tile& tile) {
  const Rows<const T> x = {static_cast<const T*>(operands.x), spec.x_stride};
  const Rows<O> out = {static_cast<O*>(operands.out), spec.out_stride};
  const bool streams = is_streamed(spec, out);
  const int64_t width = spec.width;
  const double share = 1 / double(width);
  Walk walk(spec, tile, spec.out_stride), next = walk;
  if (!walk.there()) return;
  ForwardRow<T> row(x.at(walk), spec);
  row.add(spec);
  for (; walk.there(); walk = next) {
    row.find_moments(share, spec);
    const Moments m = row.m;
    if (operands.mean != nullptr) operands.mean[walk.at(spec.mean_stride)] = m.pivot + m.rest;
    if (operands.inverse != nullptr) operands.inverse[walk.at(spec.inverse_stride)] = m.inverse;
    const Output output = {of_head(operands.weight, walk, spec.weight_stride),
                           of_head(operands.bias, walk, spec.bias_stride)};
    const auto make = output.maker(row);
    O* const to = out.at(walk);
    next.step();
    if (next.there()) {
      row = ForwardRow<T>(x.at(next), spec);
      sweep<true, true>(width, row.totals, row.adder(), to, streams, make);
    } else {
      sweep<false, true>(width, row.totals, row.adder(), to, streams, make);
    }
  }
  if (streams) end_streams();
}

void run_forward(const Spec& spec, const ForwardOperands& operands, const Tile& tile) {
  with_type(spec.dtype, [&](auto from) {
    with_type(spec.out_dtype, [&](auto to) {
      normalize<decltype(from), decltype(to)>(spec, operands, tile);
    });
  });
}

}  // namespace fovea::norm::cpu::FOVEA_TIER
