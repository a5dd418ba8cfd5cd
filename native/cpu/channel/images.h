// What both passes of channel attention do alike: which part of which image an item is, the two layers,
// and a part times its gates.
#pragma once

#include "core/backend.h"
#include "cpu/channel/layers.h"
#include "cpu/channel/layout.h"
#include "cpu/channel/pool.h"

namespace fovea::channel::cpu::FOVEA_TIER {

// A part of an image.
struct Part {
  int64_t image, channel, channels, begin, end;  // pixels [begin, end)
  int64_t chunk;
};

// What both passes do alike; `Pass` has pool, gates and scale.
template <typename Pass>
class Images {
 public:
  Images(const backend::Run& run, const fovea_call& call, bool backward)
      : spec_(spec_of(run.plan)),
        call_(call),
        parts_(spec_, backward),
        memory_(spec_, parts_, backward),
        whole_(run.plan.items[kImagePhase] > 0),
        images_(run.plan.tile_queries) {
    float* const workspace = static_cast<float*>(run.workspace);
    float* const scratch = static_cast<float*>(run.scratch);
    const bool shared = backward || !whole_;
    kept_ = shared ? workspace : scratch + 2 * images_ * memory_.size;
    // Behind what is kept of all images.
    images_at_ = whole_ ? scratch : workspace + spec_.batch * memory_.kept_size;
    kept_of_item_ = !shared;
  }

 protected:
  void run_images() {
    if (call_.phase == kImagePhase) return run_whole();
    for (int64_t item = call_.begin; item < call_.end; ++item) {
      switch (call_.phase) {
        case kPoolPhase:
          pass().pool(part(item / parts_.count(), item % parts_.count()));
          break;
        case kGatePhase:
          pass().gates(item, 1);
          break;
        default:
          pass().scale(part(item / parts_.count(), item % parts_.count()));
      }
    }
  }

  // Where memory of an image is: of its own, or of one of the images of this item and the next.
  Vectors memory_of(int64_t image, int64_t offset) const {
    return {images_at_ + (whole_ ? image % (2 * images_) : image) * memory_.size + offset, memory_.size};
  }
  Vectors kept_of(int64_t image, int64_t offset) const {
    return {kept_ + (kept_of_item_ ? image % (2 * images_) : image) * memory_.kept_size + offset,
            memory_.kept_size};
  }

  // The sum over chunks of each channel, times `factor`.
  void add_chunks(const float* chunks, double factor, float* out) const {
    for (int64_t c = 0; c < spec_.channels; ++c) {
      double sum = 0;
      for (int64_t k = 0; k < parts_.chunks; ++k) sum += double(chunks[k * spec_.channels + c]);
      out[c] = float(sum * factor);
    }
  }

  // hidden and gate of images, from their means.
  void run_layers(int64_t image, int64_t count, const Inputs& operands) const {
    const Vectors mean = kept_of(image, memory_.mean), hidden = kept_of(image, memory_.hidden);
    const Vectors gate = memory_of(image, memory_.gate);
    for (int64_t i = 0; i < count; ++i) {
      add_chunks(memory_of(image + i, memory_.sums).at, 1.0 / double(parts_.grid.pixels()), mean.of(i));
    }
    multiply(operands.weight1, spec_.weight1_stride[0], operands.bias1, spec_.hidden, spec_.channels,
             count, mean, hidden);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t r = 0; r < spec_.hidden; ++r) {
        if (hidden.of(i)[r] <= 0) hidden.of(i)[r] = 0;
      }
    }
    multiply(operands.weight2, spec_.weight2_stride[0], operands.bias2, spec_.channels, spec_.hidden,
             count, hidden, gate);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t c = 0; c < spec_.channels; c += kLanes) store(gate.of(i) + c, sigmoid(load(gate.of(i) + c)));
    }
  }

  // Calls body(a, a_stride, b, b_stride, rows, length, first) for the rows of a part in two tensors: of
  // channels for pixels that are neighbours, or of pixels for one channel; `first` is the first channel.
  template <typename A, typename B, typename Body>
  void for_each_piece(const Part& part, A* a, const ImageStride& a_stride, B* b,
                      const ImageStride& b_stride, Body body) const {
    a += part.image * a_stride.image;
    b += part.image * b_stride.image;
    if (parts_.grid.channels_last) {
      fovea::cpu::for_each_piece(parts_.grid, part.begin, part.end,
                                 [&](int64_t line, int64_t column, int64_t count) {
                                   body(a + line * a_stride.row + column * a_stride.column,
                                        b + line * b_stride.row + column * b_stride.column, count, 0);
                                 });
      return;
    }
    // All channels have the same pieces. Where there is one, it is found once: an eighth of the time of rows of 49
    // pixels.
    const auto in_channels = [&](int64_t first, int64_t last, int64_t line, int64_t column, int64_t count) {
      A* x = a + first * a_stride.channel + line * a_stride.row + column * a_stride.column;
      B* y = b + first * b_stride.channel + line * b_stride.row + column * b_stride.column;
      for (int64_t c = first; c < last; ++c, x += a_stride.channel, y += b_stride.channel) body(x, y, count, c);
    };
    const int64_t first = part.channel, last = part.channel + part.channels;
    bool whole = false;
    fovea::cpu::for_each_piece(parts_.grid, part.begin, part.end, [&](int64_t line, int64_t column, int64_t count) {
      if (count != part.end - part.begin) return;
      whole = true;
      in_channels(first, last, line, column, count);
    });
    for (int64_t c = first; !whole && c < last; ++c) {
      fovea::cpu::for_each_piece(parts_.grid, part.begin, part.end, [&](int64_t line, int64_t column, int64_t count) {
        in_channels(c, c + 1, line, column, count);
      });
    }
  }

  // to = from * gate, plus `add` where there is one.
  template <bool kAdds>
  void scale_part(const Part& part, const void* from, int32_t from_type, const ImageStride& from_stride,
                  void* to, int32_t to_type, const ImageStride& to_stride) const {
    const float* const gate = memory_of(part.image, memory_.gate).at;
    const float* const add = memory_of(part.image, memory_.add).at;
    const int64_t bytes = spec_.batch * spec_.channels * parts_.grid.pixels() *
                          element_bytes(to_type);
    with_type(from_type, [&](auto from_zero) {
      with_type(to_type, [&](auto to_zero) {
        Output<decltype(to_zero)> output(bytes >= kStreamedBytes);
        const int64_t next = whole_ ? images_ * from_stride.image : 0;
        for_each_piece(
            part, static_cast<const decltype(from_zero)*>(from), from_stride,
            static_cast<decltype(to_zero)*>(to), to_stride,
            [&](const auto* x, auto* y, int64_t count, int64_t c) {
              if (!parts_.grid.channels_last) {
                return map_row(x, from_stride.column, y, to_stride.column, count, output, next,
                               [&](auto how, int64_t, int64_t n, const auto* row, auto* to_row) {
                                 scale_row<kAdds>(how, row, n, gate[c], kAdds ? add[c] : 0.0f, to_row);
                               });
              }
              for (int64_t p = 0; p < count; ++p) {
                map_row(x + p * from_stride.column, 1, y + p * to_stride.column, 1, spec_.channels,
                        output, next, [&](auto how, int64_t i, int64_t n, const auto* row, auto* to_row) {
                          multiply_row<kAdds>(how, row, n, gate + i, add + i, to_row);
                        });
              }
            });
        output.end();
      });
    });
  }

  const Spec& spec_;
  const fovea_call& call_;
  const Parts parts_;
  const ImageMemory memory_;

 private:
  Pass& pass() { return *static_cast<Pass*>(this); }

  // Some images at a time, each part of the next ones pooled behind the same part of these: memory reads
  // while it writes.
  void run_whole() {
    const int64_t last = std::min(call_.end * images_, spec_.batch), first = call_.begin * images_;
    for_each_part(first, last, [&](const Part& it) { pass().pool(it); });
    for (int64_t image = first; image < last; image += images_) {
      pass().gates(image, std::min(images_, last - image));
      for_each_part(image, last, [&](Part it) {
        pass().scale(it);
        it.image += images_;
        if (it.image < last) pass().pool(it);
      });
    }
  }

  template <typename Body>
  void for_each_part(int64_t image, int64_t last, Body body) const {
    for (int64_t i = image; i < std::min(image + images_, last); ++i) {
      for (int64_t k = 0; k < parts_.count(); ++k) body(part(i, k));
    }
  }

  Part part(int64_t image, int64_t index) const {
    const int64_t block = index / parts_.chunks, chunk = index % parts_.chunks;
    const int64_t channel = block * parts_.block, begin = chunk * parts_.chunk;
    return {image,
            channel,
            std::min(parts_.block, spec_.channels - channel),
            begin,
            std::min(begin + parts_.chunk, parts_.grid.pixels()),
            chunk};
  }

  const bool whole_;
  const int64_t images_;
  float* kept_;
  float* images_at_;
  bool kept_of_item_;
};

}  // namespace fovea::channel::cpu::FOVEA_TIER
