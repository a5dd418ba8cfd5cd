// Losses of rows, and the logarithms of their sums: each row in one read.
#pragma once

#include "cpu/cross_entropy/rows.h"

namespace fovea::cross_entropy::cpu::FOVEA_TIER {

// What of the classes beside the target has a part: none, all alike, or each by its weight.
struct NotSmoothed {
  static constexpr bool kSmooths = false, kWeighs = false;
};
struct Smoothed {
  static constexpr bool kSmooths = true, kWeighs = false;
};
struct SmoothedByWeight {
  static constexpr bool kSmooths = true, kWeighs = true;
};

template <typename Body>
inline void with_smoothing(const Spec& spec, Body body) {
  if (spec.label_smoothing == 0) return body(NotSmoothed{});
  if (!spec.has_class_weight) return body(Smoothed{});
  body(SmoothedByWeight{});
}

template <typename T, typename Smoothing>
class Forward {
 public:
  Forward(const Spec& spec, const ForwardOperands& operands, float weights)
      : spec_(spec), operands_(operands), weights_(weights) {}

  void run(int64_t first, int64_t end) {
    for (int64_t number = first; number < end; ++number) {
      const Row row(spec_, operands_, number);
      float loss = 0, lse = 0;
      if (!row.is_ignored()) take(row, loss, lse);
      operands_.out[row.at(spec_.out_stride)] = loss;
      if (spec_.has_lse) operands_.lse[row.at(spec_.lse_stride)] = lse;
    }
  }

 private:
  // A reference is raised to the largest logit where one is so far above it: what was summed before is
  // then of so little weight that what it has been rounded by does not add up.
  static constexpr float kAbove = 5;
  static constexpr int64_t kBlock = 32 * kLanes, kFetched = kFetchedBytes / int64_t{sizeof(T)};

  void take(const Row& row, float& loss, float& lse) {
    const T* const x = static_cast<const T*>(operands_.logits) + row.at(spec_.logits_stride);
    reference_ = -std::numeric_limits<float>::max();
    powers_ = smooth_ = vfloat{};
    const int64_t whole = spec_.classes / kLanes * kLanes;
    if (whole > 0) raise(max(load_vector(x), splat(-kInfinity)));
    const Ahead ahead(spec_, x);
    for (int64_t c = 0; c < whole; c += kBlock) add(x, ahead, c, std::min(whole, c + kBlock));
    if (whole < spec_.classes) add_last(x, spec_.classes - whole);
    const double log_sum = double(log2(splat(sum_of(powers_)))[0]) * 0.693147180559945309;
    lse = float(double(reference_) + log_sum);
    const double own = row.own_share(spec_, operands_);
    const double target = double(reference_) - double(to_float(x[row.target])) + log_sum;
    double all = own == 0 ? 0 : own * target;
    if constexpr (Smoothing::kSmooths) {
      const double of_all = double(weights_) * (double(reference_) + log_sum);
      all += class_share(spec_) * (of_all - double(sum_of(smooth_)));
    }
    loss = float(all);
  }

  // Classes [begin, end), whole vectors: once more, if the reference turns out to be too low.
  void add(const T* x, const Ahead& ahead, int64_t begin, int64_t end) {
    vfloat powers, smooth, most;
    do {
      const vfloat reference = splat(reference_);
      powers = smooth = vfloat{};
      most = splat(-kInfinity);
      for (int64_t part = begin; part < end; part += kFetched) {
        ahead.fetch(x + part);
        const int64_t part_end = std::min(end, part + kFetched);
        for (int64_t c = part; c < part_end; c += kLanes) {
          const vfloat v = load_vector(x + c);
          most = max(v, most);
          powers += exp2((v - reference) * splat(kLog2e));
          if constexpr (Smoothing::kWeighs) {
            smooth += weighed(v, load_vector(operands_.class_weight + c));
          } else if constexpr (Smoothing::kSmooths) {
            smooth += v;
          }
        }
      }
    } while (raise(most));
    powers_ += powers;
    smooth_ += smooth;
  }

  // The last `count`, which fill no vector: beside others that have been added, if there are any.
  void add_last(const T* x, int64_t count) {
    const int64_t others = spec_.classes < kLanes ? 0 : kLanes - count;
    const vint lanes = lane_numbers();
    const vint there = others == 0 ? lanes < splat(int32_t(count)) : lanes >= splat(int32_t(others));
    const auto load_last = [&](const auto* row) {
      return others == 0 ? load_first(row, count) : load_vector(row + spec_.classes - kLanes);
    };
    const vfloat v = load_last(x), last = select(there, v, splat(-kInfinity));
    raise(max(last, splat(-kInfinity)));
    powers_ += exp2((last - splat(reference_)) * splat(kLog2e));
    if constexpr (Smoothing::kWeighs) {
      smooth_ += select(there, weighed(v, load_last(operands_.class_weight)), splat(0.0f));
    } else if constexpr (Smoothing::kSmooths) {
      smooth_ += select(there, v, splat(0.0f));
    }
  }

  // 0 times an infinity is 0.
  static vfloat weighed(vfloat x, vfloat weight) {
    return select(weight == splat(0.0f), splat(0.0f), x * weight);
  }

  // Whether it was too low.
  bool raise(vfloat most) {
    if (!any(most > splat(reference_ + kAbove))) return false;
    const float largest = max_of(most);
    powers_ *= exp2(splat((reference_ - largest) * kLog2e));
    reference_ = largest;
    return true;
  }

  const Spec& spec_;
  const ForwardOperands& operands_;
  const float weights_;
  float reference_ = 0;      // of the exponents of a row
  vfloat powers_, smooth_;   // sums of e^(x - reference), and of x by what its class has of the target
};

}  // namespace fovea::cross_entropy::cpu::FOVEA_TIER
