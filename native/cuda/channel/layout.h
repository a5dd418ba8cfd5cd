// How channel attention on a GPU cuts images, and where its workspace keeps what.
#pragma once

#include "cuda/channel/params.h"
#include "cuda/image/make_walk.h"
#include "cuda/plan.h"
#include "ops/channel/channel.h"

namespace fovea::channel::cuda {

// Of a pass; a planner knows no address.
struct Images {
  const void* x;
  const void* out;  // or dout
  const void* dx;
};

inline bool is_scale(const Spec& spec, int32_t phase) {
  return phase == (spec.pass == FOVEA_FORWARD ? kForwardScalePhase : kBackwardScalePhase);
}

// How a phase that sees images walks over them, and its parts.
ImageWalk walk_of(const Spec& spec, int32_t phase, const Images& images);
Parts parts_of(const ImageWalk& walk, bool pools);

// Of images that share what is read of weights.
inline int64_t image_groups(const Spec& spec) { return tiles_of(spec.batch, kLayerImages); }

// A thread has an element of a gradient; the bias is one column more.
inline int64_t first_weight_items(const Spec& spec) {
  const bool asked = spec.has_dweight1 || spec.has_dbias1;
  return asked ? tiles_of(spec.hidden * (spec.channels + 1), kThreads) : 0;
}
inline int64_t second_weight_items(const Spec& spec) {
  const bool asked = spec.has_dweight2 || spec.has_dbias2;
  return asked ? tiles_of(spec.channels * (spec.hidden + 1), kThreads) : 0;
}

// Offsets in floats; -1 where a pass keeps none.
struct Layout {
  int64_t sums, products, hidden, gate, mean, dz1, dz2, add;
  int64_t size = 0;

  Layout(const Spec& spec, int64_t chunks, bool backward);
};

}  // namespace fovea::channel::cuda
