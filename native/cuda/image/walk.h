// How the threads of a block lie over an image, for planner and kernels alike.
#pragma once

#include <cstdint>

#include "ops/image_grid.h"

namespace fovea::cuda {

constexpr int kImageThreads = 256, kImageWarps = kImageThreads / 32;
// Elements of the widest packet: 16 bytes of a 16-bit type.
constexpr int kMostPacket = 8;
// Bytes of a word of every element of every thread's packet.
constexpr int kExchangeBytes = 4 * kMostPacket * kImageThreads;

// A tensor [N, C, H, W], its strides those of a grid.
struct ImageTensor {
  void* data;
  ImageStride stride;
  int32_t dtype;
  bool whole;  // every packet is at a multiple of its size
};

// Of one phase. A packet is what a thread reads or writes at once: `packet` neighbours in memory,
// which are pixels of a channel or, where the grid says so, channels of a pixel. `lanes`
// neighbouring threads have neighbouring packets; the `groups` of so many threads have other
// channels, or other pixels.
struct ImageWalk {
  Grid grid;
  int64_t pixels;
  int32_t packet, lanes, groups;
  ImageTensor tensor[2];  // the second may be missing
};

}  // namespace fovea::cuda
