// Which pixels of which image a block has, and which of them and of their channels a thread.
#pragma once

#include "cuda/image/steps.cuh"
#include "cuda/spatial/params.h"

namespace fovea::spatial::cuda {

struct Part {
  int64_t image, begin;  // its first pixel
  int32_t count;         // of pixels that are there

  FOVEA_DEVICE Part(const SpatialParams& p, int64_t item) {
    image = item / p.parts;
    begin = item % p.parts * p.part;
    count = p.pixels - begin < p.part ? int32_t(p.pixels - begin) : p.part;
  }
};

// Calls body(at, steps) for each packet of pixels of a thread, the first of which is `at` of the
// part, with the thread's steps along their channels; also where the part has none that are there,
// without a step.
template <int kTensors, typename Body>
FOVEA_DEVICE void each_pixel(const SpatialParams& p, const Part& part, Body body) {
  const ImageWalk& walk = p.walk;
  const bool last = walk.grid.channels_last;
  const int32_t packets = walk.lanes * walk.packet;
  const int32_t neighbour = packet_lane(walk) * walk.packet, group = packet_group(walk);
  // With pixels in the lanes a part is one packet of each.
  FOVEA_NO_UNROLL
  for (int32_t at = last ? group : neighbour; at < p.part; at += last ? walk.groups : packets) {
    auto steps = channels_of<kTensors>(walk, part.image, part.begin + at, last ? neighbour : group,
                                       last ? packets : walk.groups);
    if (at >= part.count) steps.end = steps.index;
    body(at, steps);
  }
}

}  // namespace fovea::spatial::cuda
