// Walks over images, from what a spec says.
#pragma once

#include <initializer_list>

#include "cuda/image/walk.h"

namespace fovea::cuda {

// An operand; a planner knows no address.
struct ImageOperand {
  const int64_t (&stride)[4];
  int32_t dtype;
  const void* data;
};

struct ImageSize {
  int64_t batch, channels, height, width;
};

// Over one or two tensors, `lanes` yet to be set. Packets are of 16 bytes of the wider type where
// sizes and strides are multiples of them, else of one element.
ImageWalk make_walk(const ImageSize& size, std::initializer_list<ImageOperand> operands);

// Up to `wanted` lanes, a power of two.
void set_lanes(ImageWalk& walk, int64_t wanted, int most = 32);

template <typename Spec>
ImageSize size_of(const Spec& spec) {
  return {spec.batch, spec.channels, spec.height, spec.width};
}

}  // namespace fovea::cuda
