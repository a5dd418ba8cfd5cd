// The forward pass of channel attention.
#pragma once

#include "cpu/channel/images.h"

namespace fovea::channel::cpu::FOVEA_TIER {

class Forward : public Images<Forward> {
 public:
  Forward(const backend::Run& run, const fovea_call& call)
      : Images(run, call, false), operands_(*static_cast<const ForwardOperands*>(run.operands)) {}

  void run() { run_images(); }

  void pool(const Part& part) const {
    float* const sums = memory_of(part.image, memory_.sums).at + part.chunk * spec_.channels;
    std::fill_n(sums + part.channel, part.channels, 0.0f);
    with_type(spec_.dtype, [&](auto zero) {
      const auto* const x = static_cast<const decltype(zero)*>(operands_.x);
      for_each_piece(part, x, parts_.x, x, parts_.x,
                     [&](const auto* row, const auto*, int64_t count, int64_t c) {
                       if (parts_.grid.channels_last) {
                         return add_rows(row, parts_.x.column, count, spec_.channels, sums);
                       }
                       read_row(row, parts_.x.column, count,
                                [&](int64_t, int64_t n, const auto* near) { sums[c] += sum_row(near, n); });
                     });
    });
  }

  void gates(int64_t image, int64_t count) const { run_layers(image, count, operands_); }

  void scale(const Part& part) const {
    scale_part<false>(part, operands_.x, spec_.dtype, parts_.x, operands_.out, spec_.out_dtype, parts_.out);
  }

 private:
  const ForwardOperands& operands_;
};

void run_forward(const backend::Run& run, const fovea_call& call) { Forward(run, call).run(); }

}  // namespace fovea::channel::cpu::FOVEA_TIER
