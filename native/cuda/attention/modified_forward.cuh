// The forward kernel of one variant with a score modifier compiled in. Who includes this has defined
// FOVEA_MODIFIER_WORDS (modifier_run.cuh) and FOVEA_VARIANT.
#pragma once

#include "cuda/attention/forward.cuh"

namespace fovea::attention::cuda {

constexpr AttentionVariant kModified = kAttentionVariant<FOVEA_VARIANT>;

extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kModified.tile.threads(), kModified.tile.blocks)
void modified_forward(const AttentionParams p) {
  AttentionForward<kModified>(p).run();
}

}  // namespace fovea::attention::cuda
