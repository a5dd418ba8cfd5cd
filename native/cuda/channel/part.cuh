// Which part of which image a block has, and where a thread is in it.
#pragma once

#include "cuda/channel/params.h"
#include "cuda/image/steps.cuh"

namespace fovea::channel::cuda {

struct Part {
  int64_t image, chunk;
  int64_t channel;     // of the thread: its first, or one behind the last
  int64_t pixel, end;  // its first, and behind the last of the block
  int32_t step;        // from one of its pixels to the next

  FOVEA_DEVICE Part(const ChannelParams& p, uint32_t item) {
    const auto chunks = p.parts.chunks, blocks = p.parts.blocks;
    chunk = int64_t(item) % chunks;
    image = int64_t(item) / chunks / blocks;
    const int64_t block = int64_t(item) / chunks % blocks;
    const int32_t neighbour = packet_lane(p.walk) * p.walk.packet, group = packet_group(p.walk);
    const bool last = p.walk.grid.channels_last;
    channel = block * p.parts.block + (last ? neighbour : group);
    pixel = chunk * p.parts.chunk + (last ? group : neighbour);
    end = (chunk + 1) * p.parts.chunk;
    if (end > p.walk.pixels) end = p.walk.pixels;
    step = last ? p.walk.groups : p.walk.lanes * p.walk.packet;
  }
};

}  // namespace fovea::channel::cuda
