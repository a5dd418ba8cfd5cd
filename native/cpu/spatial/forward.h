// The forward pass of spatial attention.
#pragma once

#include "cpu/spatial/bands.h"

namespace fovea::spatial::cpu::FOVEA_TIER {

class Forward : public BandRows<Forward> {
 public:
  Forward(const backend::Run& run, const fovea_call& call)
      : BandRows(run, call, *static_cast<const ForwardOperands*>(run.operands), false),
        out_(static_cast<const ForwardOperands*>(run.operands)->out) {}

  void run() {
    load_weight();
    run_bands();
  }

  template <typename Body>
  void for_each_buffer(Body body) const {
    for (int64_t at : layout_.maps) body(at, layout_.padded_row);
  }

  void prepare(int64_t begin, int64_t end, bool fresh) {
    fold_rows(
        fresh ? begin - bands_.halo : begin + bands_.halo, end + bands_.halo,
        [&](int64_t p, int64_t stop, Folded& folded) { fold(p, stop, folded); },
        [](int64_t, int64_t, int64_t, int64_t, const Folded&) {});
    for (int64_t h = begin; h < end; ++h) {
      for_each_gate(h, [&](int64_t w, vfloat gate) { store_pixels(gate, row_of(layout_.gate, h), w); });
    }
  }

  void scale(int64_t begin, int64_t end) const {
    const float* const gates = row_of(layout_.gate, begin);
    const int64_t next = to_next(spec_.x_stride);
    with_type(spec_.dtype, [&](auto x_zero) {
      with_type(spec_.out_dtype, [&](auto out_zero) {
        Output<decltype(out_zero)> output(streams(spec_.out_dtype));
        for_each_row(begin * spec_.width, end * spec_.width,
                     static_cast<const decltype(x_zero)*>(operands_.x), bands_.x,
                     static_cast<decltype(out_zero)*>(out_), bands_.out,
                     [&](const auto* x, auto* out, int64_t, int64_t count, int64_t at) {
                       const float* const gate = gates + at;
                       if (bands_.grid.channels_last) {
                         return map_row(x, 1, out, 1, count, output, next,
                                        [&](auto how, int64_t, int64_t n, const auto* row, auto* to) {
                                          scale_row<false>(how, row, n, gate[0], 0.0f, to);
                                        });
                       }
                       map_row(x, bands_.x.column, out, bands_.out.column, count, output, next,
                               [&](auto how, int64_t i, int64_t n, const auto* row, auto* to) {
                                 multiply_row<false>(how, row, n, gate + i, nullptr, to);
                               });
                     });
        output.end();
      });
    });
  }

 private:
  void fold(int64_t begin, int64_t end, Folded& folded) const {
    with_type(spec_.dtype, [&](auto zero) {
      const auto* const x = static_cast<const decltype(zero)*>(operands_.x);
      const ImageStride& stride = bands_.x;
      for_each_run(begin, end, x, stride, x, stride, kChannels,
                   [&](const auto* run, const auto*, int64_t c, int64_t count, int64_t at) {
                     if (bands_.grid.channels_last) {
                       for (int64_t p = 0; p < count; p += 8) {
                         fold_pixels(run + p * stride.column, stride.column,
                                     std::min<int64_t>(8, count - p), spec_.channels, at + p, folded);
                       }
                       return;
                     }
                     const int64_t here = std::min<int64_t>(kChannels, spec_.channels - c);
                     if (here == kChannels && stride.column == 1) {
                       return fold_channels(run, stride.channel, count, at, folded);
                     }
                     for (int64_t k = 0; k < here; ++k) {
                       read_row(run + k * stride.channel, stride.column, count,
                                [&](int64_t i, int64_t n, const auto* near) {
                                  fold_channel(near, n, at + i, folded);
                                });
                     }
                   });
    });
  }

  void* const out_;
};

void run_forward(const backend::Run& run, const fovea_call& call) { Forward(run, call).run(); }

}  // namespace fovea::spatial::cpu::FOVEA_TIER
