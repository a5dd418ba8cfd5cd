// How the threads of a block lie over an image, for planner and kernels alike.
#pragma once

#include <cstdint>

#include "cuda/packet_tensor.h"
#include "ops/image_grid.h"

namespace fovea::cuda {

constexpr int kImageThreads = 256, kImageWarps = kImageThreads / 32;
// Bytes of a word of every element of every thread's packet.
constexpr int kExchangeBytes = 4 * kMostPacket * kImageThreads;

// A tensor [N, C, H, W], its strides those of a grid.
struct ImageTensor : PacketTensor {
  ImageStride stride;
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
