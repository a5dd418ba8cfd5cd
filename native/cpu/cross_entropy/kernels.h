// The kernels that each instruction set tier of the CPU has for cross-entropy.
#pragma once

#include "cpu/cross_entropy/layout.h"
#include "cpu/tier.h"

namespace fovea::cross_entropy::cpu {

// Rows [first, end); `weights` is the sum of class_weight where that is needed.
using RunForward = void(const Spec&, const ForwardOperands&, float weights, int64_t first, int64_t end);
using RunBackward = void(const Spec&, const BackwardOperands&, float weights, int64_t first, int64_t end);

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::cross_entropy::cpu
