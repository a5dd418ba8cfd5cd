// How channel attention on a CPU cuts images into parts, and its memory: what the planner reserves, and the
// kernels use.
#pragma once

#include <algorithm>

#include "cpu/image/grid.h"
#include "ops/channel/channel.h"

namespace fovea::channel::cpu {

enum Phase {
  kImagePhase,   // whole images, some at a time: they are still in the cache when they are scaled
  kPoolPhase,    // or, where images are too few for the workers: sums of parts of images,
  kGatePhase,    // the gates of an image,
  kScalePhase,   // and the parts scaled
  kForwardPhases,
  kWeightPhase = kForwardPhases,  // rows of the gradients of weights and biases
  kBackwardPhases,
};

constexpr int64_t kWeightRows = 16;  // of an item

// A pass over x and what it writes, cut into parts by sizes and strides alone, so that sums have the same
// bits in any plan.
struct Parts {
  ImageStride x, out, gradient;  // out: or dout; gradient: dx
  Grid grid;
  int64_t block, blocks;  // channels of a part
  int64_t chunk, chunks;  // pixels of a part

  Parts(const Spec& spec, bool backward);

  int64_t count() const { return blocks * chunks; }
};

// What an image needs while it is worked on, and what of it the weight phase reads. Offsets and sizes in
// floats, each row on a 64-byte boundary.
struct ImageMemory {
  int64_t sums, products, gate, add;  // sums: of each chunk all channels; products: of dout and x, likewise
  int64_t size = 0;
  int64_t mean, hidden, dz1, dz2;
  int64_t kept_size = 0;

  ImageMemory(const Spec& spec, const Parts& parts, bool backward);
};

inline int64_t blocks_of(int64_t rows) { return (rows + kWeightRows - 1) / kWeightRows; }

}  // namespace fovea::channel::cpu
