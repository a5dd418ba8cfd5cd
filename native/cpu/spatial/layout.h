// How spatial attention on a CPU cuts images into bands of rows, and its memory: what the planner reserves,
// and the kernels use.
#pragma once

#include <algorithm>

#include "cpu/image/grid.h"
#include "ops/spatial/spatial.h"

namespace fovea::spatial::cpu {

enum Phase {
  kBandPhase,
  kForwardPhases,
  kWeightPhase = kForwardPhases,  // what the bands add to dweight and dbias
  kBackwardPhases,
};

// Rows of an image that an item takes: so few that what it has read for their statistics is still in L2
// when it is scaled, and yet many beside the rows of neighbours that the convolution needs, `halo` on each
// side. By sizes alone, so that sums over bands have the same bits in any plan.
struct Bands {
  ImageStride x, out, gradient;  // out: or dout; gradient: dx
  Grid grid;
  int64_t reach;  // of the convolution, to each side
  int64_t halo;   // backward: of the convolution and of its transpose
  int64_t rows, count;

  Bands(const Spec& spec, bool backward);
};

// Of one worker, in floats, each row on a 64-byte boundary: rows of a band and its halo.
struct BandScratch {
  // Padded by zeros to both sides; and not, so that pixels lie as they do in images.
  int64_t padded_row, row, rows;
  int64_t maps[2], dz;              // padded: rows of both maps; backward of the gradient of z
  int64_t products, indices;        // backward: sums of dout * x; the channel of the maximum
  int64_t gate, add, add_maximum;   // of the band
  int64_t size = 0;

  BandScratch(const Spec& spec, const Bands& bands, bool backward);

 private:
  int64_t reserve(int64_t count);
};

// Elements of dweight, and dbias: what a band adds to them, in double.
inline int64_t band_sums(const Spec& spec) {
  return spec.maps * spec.kernel_size * spec.kernel_size + 1;
}

}  // namespace fovea::spatial::cpu
