// How spatial attention on a GPU cuts images, and where its workspace keeps what.
#pragma once

#include "cuda/image/make_walk.h"
#include "cuda/plan.h"
#include "cuda/spatial/params.h"
#include "ops/spatial/spatial.h"

namespace fovea::spatial::cuda {

// Of a pass; a planner knows no address.
struct Images {
  const void* x;
  const void* out;  // or dout
  const void* dx;
};

inline int32_t scale_phase(const Spec& spec) {
  return spec.pass == FOVEA_FORWARD ? kForwardScalePhase : kBackwardScalePhase;
}

// How a phase that sees images walks over them, and the pixels of its items.
ImageWalk walk_of(const Spec& spec, int32_t phase, const Images& images);
int32_t part_of(const ImageWalk& walk);

// Elements of dweight, and dbias.
inline int64_t gradients(const Spec& spec) {
  return spec.maps * spec.kernel_size * spec.kernel_size + 1;
}

// Offsets in words; -1 where a pass keeps none.
struct Layout {
  int64_t maps, products, indices, gates, dz, sums;
  int64_t size = 0;

  Layout(const Spec& spec, int64_t gate_items);
};

}  // namespace fovea::spatial::cuda
