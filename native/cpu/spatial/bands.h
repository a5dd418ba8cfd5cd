// What both passes of spatial attention do alike: one band after the other, each from the statistics of its
// rows and their halo, of which the band before may have left some.
#pragma once

#include "core/backend.h"
#include "cpu/spatial/convolve.h"
#include "cpu/spatial/fold.h"
#include "cpu/spatial/layout.h"

namespace fovea::spatial::cpu::FOVEA_TIER {

// `Pass` has prepare(begin, end, fresh), which makes what is needed of rows before they are scaled, and
// scale(begin, end).
template <typename Pass>
class BandRows {
 public:
  BandRows(const backend::Run& run, const fovea_call& call, const Inputs& operands, bool backward)
      : spec_(spec_of(run.plan)),
        call_(call),
        operands_(operands),
        bands_(spec_, backward),
        layout_(spec_, bands_, backward),
        scratch_(static_cast<float*>(run.scratch)) {}

 protected:
  void run_bands() {
    int64_t after = -1;  // the item whose halo is there
    for (int64_t item = call_.begin; item < call_.end; ++item) {
      image_ = item / bands_.count;
      band_ = item % bands_.count;
      const int64_t begin = band_ * bands_.rows, end = std::min(begin + bands_.rows, spec_.height);
      const bool fresh = item != after || band_ == 0;
      first_ = begin - bands_.halo;
      if (fresh) std::fill_n(scratch_, layout_.size, 0.0f);
      pass().prepare(begin, end, fresh);
      pass().scale(begin, end);
      after = item + 1;
      // Of the next band: the rows from its halo on.
      pass().for_each_buffer([&](int64_t at, int64_t row) {
        float* const rows = scratch_ + at;
        std::copy(rows + bands_.rows * row, rows + layout_.rows * row, rows);
      });
    }
  }

  // Rows of the image from the first of the halo on.
  Map map_of(int64_t at) const { return {scratch_ + at, layout_.padded_row, first_}; }
  float* row_of(int64_t at, int64_t h) const { return scratch_ + at + (h - first_) * layout_.row; }
  const float* row_of_map(int m, int64_t h) const { return map_of(layout_.maps[m]).row(h); }

  // Calls fold(begin, end, folded) for pixels of rows [begin, end), and store(h, w, count, from, folded)
  // for what it gave of pixels [w, w + count) of row h, which begins at `from`. Rows outside of the image
  // become zeros.
  template <typename Fold, typename Store>
  void fold_rows(int64_t begin, int64_t end, Fold fold, Store store) {
    for (int64_t h = begin; h < end; ++h) {
      if (h >= 0 && h < spec_.height) continue;
      for (int64_t at : layout_.maps) std::fill_n(map_of(at).row(h), layout_.padded_row, 0.0f);
    }
    const int64_t last = std::min(end, spec_.height) * spec_.width;
    for (int64_t p = std::max<int64_t>(begin, 0) * spec_.width; p < last; p += kFoldedPixels) {
      const int64_t stop = std::min(p + kFoldedPixels, last);
      folded_.clear(stop - p);
      fold(p, stop, folded_);
      for (int64_t at = p; at < stop;) {
        const int64_t h = at / spec_.width, w = at % spec_.width;
        const int64_t count = std::min(spec_.width - w, stop - at), from = at - p;
        float* const mean = map_of(layout_.maps[0]).row(h) + bands_.reach + w;
        for (int64_t i = 0; i < count; ++i) mean[i] = folded_.sum[from + i] / float(spec_.channels);
        std::copy_n(folded_.maximum + from, count, map_of(layout_.maps[1]).row(h) + bands_.reach + w);
        store(h, w, count, from, folded_);
        at += count;
      }
    }
  }

  // Calls body(w, gate) for the vectors of row h, the last perhaps with pixels that are none.
  template <typename Body>
  void for_each_gate(int64_t h, Body body) const {
    const int64_t size = spec_.kernel_size;
    const vfloat bias = splat(operands_.bias == nullptr ? 0.0f : operands_.bias[0]);
    for (int64_t w = 0; w < spec_.width; w += kLanes) {
      vfloat z = splat(0.0f);
      for (int m = 0; m < 2; ++m) {
        z = convolve_vector(map_of(layout_.maps[m]), h - bands_.reach, w, weight_ + m * size * size,
                            size, z);
      }
      body(w, sigmoid(z + bias));  // added last: every sum would round to a large bias
    }
  }

  void load_weight() {
    const int64_t size = spec_.kernel_size;
    float* to = weight_;
    for (int64_t m = 0; m < 2; ++m) {
      for (int64_t i = 0; i < size; ++i, to += size) {
        std::copy_n(operands_.weight + m * spec_.weight_stride[0] + i * spec_.weight_stride[1], size, to);
      }
    }
  }

  void store_pixels(vfloat v, float* to, int64_t w) const {
    const int64_t count = std::min<int64_t>(kLanes, spec_.width - w);
    for (int64_t lane = 0; lane < count; ++lane) to[w + lane] = v[lane];
  }

  // To the same rows of the band that is next, from those of a band in the tensor of these strides.
  int64_t to_next(const int64_t (&stride)[4]) const {
    const bool last = band_ + 1 == bands_.count;
    return last ? stride[0] - band_ * bands_.rows * stride[2] : (bands_.rows + bands_.halo) * stride[2];
  }

  // Whether what is written, of that type, goes past the caches.
  bool streams(int32_t dtype) const {
    return spec_.batch * spec_.channels * bands_.grid.pixels() * element_bytes(dtype) >= kStreamedBytes;
  }

  // Calls body(a, b, channel, count, at) for neighbouring pixels of a channel among [begin, end), or, where
  // channels are last, of all channels; they are counted from `begin`.
  template <typename A, typename B, typename Body>
  void for_each_run(int64_t begin, int64_t end, A* a, const ImageStride& a_stride, B* b,
                    const ImageStride& b_stride, int64_t channels, Body body) const {
    a += image_ * a_stride.image;
    b += image_ * b_stride.image;
    const Grid& grid = bands_.grid;
    for (int64_t c = 0; c < (grid.channels_last ? 1 : spec_.channels); c += channels) {
      fovea::cpu::for_each_piece(grid, begin, end, [&](int64_t line, int64_t column, int64_t count) {
        body(a + c * a_stride.channel + line * a_stride.row + column * a_stride.column,
             b + c * b_stride.channel + line * b_stride.row + column * b_stride.column, c, count,
             line * grid.length + column - begin);
      });
    }
  }

  // The same for the rows of neighbours in memory: channels of one pixel, or pixels of one channel.
  template <typename A, typename B, typename Body>
  void for_each_row(int64_t begin, int64_t end, A* a, const ImageStride& a_stride, B* b,
                    const ImageStride& b_stride, Body body) const {
    for_each_run(begin, end, a, a_stride, b, b_stride, 1,
                 [&](A* first, B* second, int64_t c, int64_t count, int64_t at) {
                   if (!bands_.grid.channels_last) return body(first, second, c, count, at);
                   for (int64_t p = 0; p < count; ++p) {
                     body(first + p * a_stride.column, second + p * b_stride.column, int64_t{0},
                          spec_.channels, at + p);
                   }
                 });
  }

  const Spec& spec_;
  const fovea_call& call_;
  const Inputs& operands_;
  const Bands bands_;
  const BandScratch layout_;
  float* const scratch_;
  int64_t image_ = 0, band_ = 0, first_ = 0;
  float weight_[2 * 31 * 31];

 private:
  Pass& pass() { return *static_cast<Pass*>(this); }

  Folded folded_;
};

}  // namespace fovea::spatial::cpu::FOVEA_TIER
