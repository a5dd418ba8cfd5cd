// A thread's way over an image: along the pixels of its channels, or along the channels of its
// pixels.
#pragma once

#include "cuda/image/walk.h"
#include "cuda/packets.cuh"
#include "tile/warp.cuh"

namespace fovea::cuda {

FOVEA_DEVICE int32_t lane() { return int32_t(tile::thread_index() % tile::kWarp); }
FOVEA_DEVICE int32_t warp() { return int32_t(tile::thread_index() / tile::kWarp); }
// Which of neighbouring packets are this thread's, and which of what lies apart.
FOVEA_DEVICE int32_t packet_lane(const ImageWalk& walk) {
  return int32_t(tile::thread_index() % uint32_t(walk.lanes));
}
FOVEA_DEVICE int32_t packet_group(const ImageWalk& walk) {
  return int32_t(tile::thread_index() / uint32_t(walk.lanes));
}

FOVEA_DEVICE float load_float(uint32_t address) {
  return tile::as_float(tile::load_shared(address));
}
FOVEA_DEVICE void store_float(uint32_t address, float x) {
  tile::store_shared(address, tile::as_bits(x));
}

// Calls body with a null pointer of the PacketTypes of one tensor, or of both.
template <typename Body>
FOVEA_DEVICE void with_first_type(const ImageWalk& walk, Body body) {
  with_packet_type(walk.tensor[0], walk.packet, body);
}
template <typename Body>
FOVEA_DEVICE void with_both_types(const ImageWalk& walk, Body body) {
  with_packet_types(walk.tensor[0], walk.tensor[1], walk.packet, body);
}

// Where the packets of indices `index`, `index` + `step` and so on before `end` lie in kTensors
// tensors. Pixels are counted on through the lines of an image.
template <int kTensors>
struct Steps {
  int64_t index, end, step;
  int64_t column, columns, length;
  int64_t at[kTensors], advance[kTensors], wrap[kTensors];

  FOVEA_DEVICE bool there() const { return index < end; }
  FOVEA_DEVICE void next() {
    index += step;
    column += columns;
    const bool wraps = column >= length;
    if (wraps) column -= length;
    FOVEA_UNROLL
    for (int i = 0; i < kTensors; ++i) at[i] += wraps ? advance[i] + wrap[i] : advance[i];
  }
};

// Pixels of one channel.
template <int kTensors>
FOVEA_DEVICE Steps<kTensors> pixels_of(const ImageWalk& walk, int64_t image, int64_t channel,
                                       int64_t first, int64_t end, int32_t step) {
  const Grid& grid = walk.grid;
  Steps<kTensors> steps = {first, end, step, first, step, grid.length, {}, {}, {}};
  int64_t line = 0, lines = 0;
  if (grid.lines > 1) {
    line = first / grid.length;
    lines = step / grid.length;
    steps.column -= line * grid.length;
    steps.columns -= lines * grid.length;
  }
  FOVEA_UNROLL
  for (int i = 0; i < kTensors; ++i) {
    const ImageStride& stride = walk.tensor[i].stride;
    steps.at[i] = image * stride.image + channel * stride.channel + line * stride.row +
                  steps.column * stride.column;
    steps.advance[i] = lines * stride.row + steps.columns * stride.column;
    steps.wrap[i] = stride.row - grid.length * stride.column;
  }
  return steps;
}

// Channels of one pixel.
template <int kTensors>
FOVEA_DEVICE Steps<kTensors> channels_of(const ImageWalk& walk, int64_t image, int64_t pixel,
                                         int64_t first, int32_t step) {
  Steps<kTensors> steps = pixels_of<kTensors>(walk, image, first, pixel, pixel + 1, 1);
  steps.index = first;
  steps.end = walk.grid.channels;
  steps.step = step;
  // Never the next line, as a compiler sees.
  steps.column = steps.columns = 0;
  steps.length = 1;
  FOVEA_UNROLL
  for (int i = 0; i < kTensors; ++i) steps.advance[i] = step * walk.tensor[i].stride.channel;
  return steps;
}

// Calls take(index, at, x...) for the packets of the first kLoaded tensors, `at` being where they
// are in the last one. Several are on their way before the first is taken.
template <typename Types, int kLoaded, int kTensors, typename Take>
FOVEA_DEVICE void each_packet(const ImageWalk& walk, Steps<kTensors> steps, Take take) {
  constexpr int kPacket = Types::kPacket, kAhead = kPacket == 1 ? 8 : 4;
  constexpr int kFirst = Types::template kBytes<0>, kSecond = Types::template kBytes<1>;
  while (steps.there()) {
    uint32_t first[kAhead][Types::template kWords<0>], second[kAhead][Types::template kWords<1>];
    int64_t index[kAhead], at[kAhead];
    FOVEA_UNROLL
    for (int n = 0; n < kAhead; ++n) {
      index[n] = steps.index;
      at[n] = steps.at[kTensors - 1];
      if (steps.there()) {
        load_packet<kFirst, kPacket>(walk.tensor[0], steps.at[0], first[n]);
        if constexpr (kLoaded == 2) {
          load_packet<kSecond, kPacket>(walk.tensor[1], steps.at[1], second[n]);
        }
      }
      steps.next();
    }
    FOVEA_UNROLL
    for (int n = 0; n < kAhead; ++n) {
      if (index[n] >= steps.end) break;
      float x[kPacket], y[kPacket];
      widen_packet<kFirst, kPacket>(walk.tensor[0], first[n], x);
      if constexpr (kLoaded == 2) {
        widen_packet<kSecond, kPacket>(walk.tensor[1], second[n], y);
        take(index[n], at[n], x, y);
      } else {
        take(index[n], at[n], x);
      }
    }
  }
}

// Writes a packet of the second tensor.
template <typename Types, int kPacket>
FOVEA_DEVICE void write_packet(const ImageWalk& walk, int64_t at, const float (&x)[kPacket]) {
  constexpr int kBytes = Types::template kBytes<1>;
  uint32_t words[Types::template kWords<1>];
  round_packet<kBytes, kPacket>(walk.tensor[1], x, words);
  store_packet<kBytes, kPacket>(walk.tensor[1], at, words);
}

// Where element e of a thread's packet is among words that the block exchanges: all words of an e
// are side by side, so that neighbouring threads meet different banks.
FOVEA_DEVICE uint32_t exchanged(uint32_t shared, int e, uint32_t thread) {
  return shared + 4 * (uint32_t(e) * kImageThreads + thread);
}

}  // namespace fovea::cuda
