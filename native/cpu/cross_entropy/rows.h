// What both passes know of a row.
#pragma once

#include "cpu/cross_entropy/kernels.h"
#include "cpu/image/rows.h"

namespace fovea::cross_entropy::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

constexpr float kLog2E = 1.44269504f;

struct Row {
  int64_t batch, row;
  int64_t target;

  Row(const Spec& spec, const Inputs& inputs, int64_t number)
      : batch(number / spec.length),
        row(number % spec.length),
        target(inputs.targets[batch * spec.targets_stride[0] + row]) {}

  bool is_ignored() const { return target < 0; }
  int64_t at(const int64_t (&stride)[1]) const { return batch * stride[0] + row; }
  int64_t at(const int64_t (&stride)[2]) const { return batch * stride[0] + row * stride[1]; }

  // (1 - e) w_y.
  double own_share(const Spec& spec, const Inputs& inputs) const {
    const double weight = spec.has_class_weight ? double(inputs.class_weight[target]) : 1;
    return (1 - double(spec.label_smoothing)) * weight;
  }
};

// e / V.
inline double class_share(const Spec& spec) {
  return double(spec.label_smoothing) / double(spec.classes);
}

// The last elements of a row that fill no vector, and behind them others.
template <typename T>
struct LastOnes {
  alignas(64) float x[16];

  LastOnes(const T* row, int64_t count, float others) {
    for (int64_t i = 0; i < 16; ++i) x[i] = i < count ? to_float(row[i]) : others;
  }
};

}  // namespace fovea::cross_entropy::cpu::FOVEA_TIER
