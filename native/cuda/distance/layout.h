// Where the backward pass keeps what in its workspace.
#pragma once

#include "cuda/pairs/layout.h"
#include "ops/distance/distance.h"

namespace fovea::distance::cuda {

using namespace fovea::pairs::cuda;

// Of shared memory for the sums of the warps of kSumsPhase.
constexpr int kSumsBytes = 8 * kWarps;

struct BackwardLayout : RowLayout {
  int64_t moments;  // by row; -1 = not kept

  explicit BackwardLayout(const Spec& spec) : RowLayout(spec) {
    moments = spec.has_dbandwidth ? add(rows * 4) : -1;
  }
};

}  // namespace fovea::distance::cuda
