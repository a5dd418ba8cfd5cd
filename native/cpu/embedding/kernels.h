// The kernels that each instruction set tier of the CPU has for embedding lookup.
#pragma once

#include "cpu/embedding/layout.h"
#include "cpu/tier.h"

namespace fovea::embedding::cpu {

// Rows of out of tokens [first, end).
using RunForward = void(const Spec&, const ForwardOperands&, int64_t first, int64_t end);
// An item of a phase: one of the ranges of rows that are listed, or one of the parts that are summed.
using RunBackward = void(const Spec&, const BackwardOperands&, const Sums&, int32_t phase, int64_t item);

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::embedding::cpu
