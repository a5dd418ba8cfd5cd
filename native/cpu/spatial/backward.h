// The backward pass of spatial attention.
#pragma once

#include "cpu/spatial/bands.h"

namespace fovea::spatial::cpu::FOVEA_TIER {

// dx = dout * gate + add, and + maximum where the channel is that of it.
template <typename How, typename T, typename O>
[[gnu::noinline]] void write_gradients(How how, const O* dout, int64_t count, const float* gate, const float* add,
                                       const float* maximum, const int32_t* index, int32_t channel,
                                       T* dx) {
  write_row(how, dx, count, [&](int64_t i, int64_t n) {
    const float8 v = load_of(dout, i, n) * load_of(gate, i, n) + load_of(add, i, n);
    const int8 at = load_index(index, i, n) == channel - int8{};
    return v + from_bits8(bits8(load_of(maximum, i, n)) & at);
  });
}

// The same of the channels of one pixel, of which the maximum is in that of `index`, if there.
template <typename How, typename T, typename O>
[[gnu::noinline]] void write_pixel(How how, const O* dout, int64_t count, float gate, float add,
                                   float maximum, int32_t index, T* dx) {
  const float8 g = splat8(gate), a = splat8(add), most = splat8(maximum);
  const int8 lanes = lanes8();
  write_row(how, dx, count, [&](int64_t i, int64_t n) {
    const int8 at = lanes == index - int32_t(i) - int8{};
    return load_of(dout, i, n) * g + a + from_bits8(bits8(most) & at);
  });
}

class Backward : public BandRows<Backward> {
 public:
  Backward(const backend::Run& run, const fovea_call& call)
      : BandRows(run, call, *static_cast<const BackwardOperands*>(run.operands), true),
        operands_(*static_cast<const BackwardOperands*>(run.operands)),
        sums_(static_cast<double*>(run.workspace)) {}

  void run() {
    if (call_.phase == kWeightPhase) return add_bands();
    load_weight();
    const int64_t size = spec_.kernel_size * spec_.kernel_size;
    for (int64_t k = 0; k < 2 * size; ++k) {
      turned_[k] = weight_[k / size * size + size - 1 - k % size];
    }
    run_bands();
  }

  template <typename Body>
  void for_each_buffer(Body body) const {
    for (int64_t at : layout_.maps) body(at, layout_.padded_row);
    body(layout_.dz, layout_.padded_row);
    for (int64_t at : {layout_.products, layout_.indices, layout_.gate}) body(at, layout_.row);
  }

  void prepare(int64_t begin, int64_t end, bool fresh) {
    const int64_t reach = bands_.reach, halo = bands_.halo;
    fold_rows(
        fresh ? begin - halo : begin + halo, end + halo,
        [&](int64_t p, int64_t stop, Folded& folded) { fold(p, stop, folded); },
        [&](int64_t h, int64_t w, int64_t count, int64_t from, const Folded& folded) {
          std::copy_n(folded.product + from, count, row_of(layout_.products, h) + w);
          std::copy_n(folded.index + from, count, indices_of(h) + w);
        });
    for (int64_t h = fresh ? begin - reach : begin + reach; h < end + reach; ++h) derive(h);
    for (int64_t h = begin; h < end; ++h) {
      add_row(layout_.add, h, begin, 0, 1.0f / float(spec_.channels));
      add_row(layout_.add_maximum, h, begin, 1, 1.0f);
    }
    if (sums_ != nullptr) correlate_rows(begin, end);
  }

  void scale(int64_t begin, int64_t end) const {
    const float* const gates = row_of(layout_.gate, begin);
    const int32_t* const indices = indices_of(begin);
    const float* const adds = scratch_ + layout_.add;
    const float* const maxima = scratch_ + layout_.add_maximum;
    const int64_t next = to_next(spec_.dout_stride);
    with_type(spec_.out_dtype, [&](auto dout_zero) {
      with_type(spec_.gradient_dtype, [&](auto dx_zero) {
        Output<decltype(dx_zero)> output(streams(spec_.gradient_dtype));
        for_each_row(
            begin * spec_.width, end * spec_.width,
            static_cast<const decltype(dout_zero)*>(operands_.dout), bands_.out,
            static_cast<decltype(dx_zero)*>(operands_.dx), bands_.gradient,
            [&](const auto* dout, auto* dx, int64_t c, int64_t count, int64_t at) {
              if (bands_.grid.channels_last) {
                const float gate = gates[at], add = adds[at];
                return map_row(dout, 1, dx, 1, count, output, next,
                               [&](auto how, int64_t i, int64_t n, const auto* from, auto* to) {
                                 write_pixel(how, from, n, gate, add, maxima[at],
                                             indices[at] - int32_t(i), to);
                               });
              }
              map_row(dout, bands_.out.column, dx, bands_.gradient.column, count, output, next,
                      [&](auto how, int64_t i, int64_t n, const auto* from, auto* to) {
                        write_gradients(how, from, n, gates + at + i, adds + at + i, maxima + at + i,
                                        indices + at + i, int32_t(c), to);
                      });
            });
        output.end();
      });
    });
  }

 private:
  int32_t* indices_of(int64_t h) const { return reinterpret_cast<int32_t*>(row_of(layout_.indices, h)); }

  void fold(int64_t begin, int64_t end, Folded& folded) const {
    with_type(spec_.dtype, [&](auto x_zero) {
      with_type(spec_.out_dtype, [&](auto dout_zero) {
        const ImageStride &x = bands_.x, &dout = bands_.out;
        for_each_run(
            begin, end, static_cast<const decltype(x_zero)*>(operands_.x), x,
            static_cast<const decltype(dout_zero)*>(operands_.dout), dout, kChannels,
            [&](const auto* a, const auto* b, int64_t c, int64_t count, int64_t at) {
              if (bands_.grid.channels_last) {
                for (int64_t p = 0; p < count; p += 8) {
                  fold_pixels_gradients(a + p * x.column, x.column, b + p * dout.column, dout.column,
                                        std::min<int64_t>(8, count - p), spec_.channels, at + p, folded);
                }
                return;
              }
              const int64_t here = std::min<int64_t>(kChannels, spec_.channels - c);
              if (here == kChannels && x.column == 1 && dout.column == 1) {
                return fold_gradients<kChannels>(a, x.channel, b, dout.channel, int32_t(c), count, at,
                                                 folded);
              }
              for (int64_t k = 0; k < here; ++k) {
                read_rows(a + k * x.channel, x.column, b + k * dout.channel, dout.column, count,
                          [&](int64_t i, int64_t n, const auto* near_x, const auto* near_dout) {
                            fold_gradients<1>(near_x, 0, near_dout, 0, int32_t(c + k), n, at + i, folded);
                          });
              }
            });
      });
    });
  }

  // gate and dz of a row.
  void derive(int64_t h) const {
    float* const dz = map_of(layout_.dz).row(h) + bands_.reach;
    if (h < 0 || h >= spec_.height) {
      std::fill_n(dz, spec_.width, 0.0f);
      return;
    }
    const float* const products = row_of(layout_.products, h);
    for_each_gate(h, [&](int64_t w, vfloat gate) {
      store_pixels(gate, row_of(layout_.gate, h), w);
      store_pixels(load_vector(products + w) * (gate * (splat(1.0f) - gate)), dz, w);
    });
  }

  // dmap of a row, times `factor`.
  void add_row(int64_t at, int64_t h, int64_t begin, int64_t m, float factor) const {
    const int64_t size = spec_.kernel_size;
    float* const to = scratch_ + at + (h - begin) * layout_.row;
    for (int64_t w = 0; w < spec_.width; w += kLanes) {
      const vfloat sum = convolve_vector(map_of(layout_.dz), h - bands_.reach, w,
                                         turned_ + m * size * size, size, vfloat{});
      store_pixels(sum * splat(factor), to, w);
    }
  }

  // What the band adds to dweight and dbias.
  void correlate_rows(int64_t begin, int64_t end) const {
    const int64_t size = spec_.kernel_size;
    double* const sums = sums_ + (image_ * bands_.count + band_) * band_sums(spec_);
    std::fill_n(sums, band_sums(spec_), 0.0);
    for (int64_t h = begin; h < end; ++h) {
      const float* const dz = map_of(layout_.dz).row(h) + bands_.reach;
      double* sum = sums;
      for (int m = 0; m < 2; ++m) {
        for (int64_t i = 0; i < size; ++i) {
          const float* const map = row_of_map(m, h + i - bands_.reach);
          for (int64_t j = 0; j < size; ++j) *sum++ += double(correlate(dz, map + j, spec_.width));
        }
      }
      for (int64_t w = 0; w < spec_.width; ++w) *sum += double(dz[w]);
    }
  }

  // dweight and dbias, of all bands in their order.
  void add_bands() const {
    const int64_t size = spec_.kernel_size;
    for (int64_t k = 0; k < band_sums(spec_); ++k) {
      const bool last = k + 1 == band_sums(spec_);
      if (last ? !spec_.has_dbias : !spec_.has_dweight) continue;
      double sum = 0;
      for (int64_t b = 0; b < spec_.batch * bands_.count; ++b) sum += sums_[b * band_sums(spec_) + k];
      float& to = last ? *operands_.dbias
                       : operands_.dweight[k / (size * size) * spec_.dweight_stride[0] +
                                           k / size % size * spec_.dweight_stride[1] + k % size];
      to = float(spec_.accumulate ? double(to) + sum : sum);
    }
  }

  const BackwardOperands& operands_;
  double* const sums_;  // null: no sum is asked for
  float turned_[2 * 31 * 31];
};

void run_backward(const backend::Run& run, const fovea_call& call) { Backward(run, call).run(); }

}  // namespace fovea::spatial::cpu::FOVEA_TIER
