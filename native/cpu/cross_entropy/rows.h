// What both passes know of a row.
#pragma once

#include "core/constants.h"
#include "cpu/cross_entropy/kernels.h"
#include "cpu/vectors.h"

namespace fovea::cross_entropy::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

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

// Fetches what is read next: a processor does so by itself, but within a page alone. So it is told of
// eight pages at a time, of a line of each while eight lines are read.
constexpr int64_t kFetchedBytes = 512;
class Ahead {
 public:
  template <typename T>
  Ahead(const Spec& spec, const T* row) {
    const int64_t stride = spec.length > 1 ? spec.logits_stride[1] : spec.classes;
    const bool together = stride >= spec.classes && stride <= spec.classes + spec.classes / 8;
    end_ = together ? UINTPTR_MAX : reinterpret_cast<uintptr_t>(row + spec.classes);
  }

  // While kFetchedBytes from there on are read. (Unless it is inlined early, g++ 12 takes it for a
  // function that does nothing, and drops its calls.)
  [[gnu::always_inline]] void fetch(const void* p) const {
    constexpr uintptr_t kLine = 64, kPage = 4096, kPages = kFetchedBytes / kLine;
    const auto at = reinterpret_cast<uintptr_t>(p);
    const uintptr_t pages = at / (kPages * kPage) * (kPages * kPage);
    const uintptr_t next = pages + kPages * kPage + (at - pages) / kFetchedBytes * kLine;
    if (next >= end_) return;
#pragma GCC unroll 8
    for (uintptr_t page = 0; page < kPages; ++page) {
      __builtin_prefetch(reinterpret_cast<const void*>(next + page * kPage), 0, 2);
    }
  }

 private:
  uintptr_t end_;  // of what is read, if rows lie so far apart that what is between them would cost more
};

}  // namespace fovea::cross_entropy::cpu::FOVEA_TIER
