// The kernels that each instruction set tier of the CPU has for normalization.
#pragma once

#include "cpu/norm/layout.h"
#include "cpu/tier.h"

namespace fovea::norm::cpu {

using RunForward = void(const Spec&, const ForwardOperands&, const Tile&);

// What all items of a backward pass have in common.
struct BackwardRun {
  const Spec& spec;
  const BackwardOperands& operands;
  const Parts& parts;
  float* workspace;
};
// An item of that phase.
using RunBackward = void(const BackwardRun&, int32_t phase, int64_t item);

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::norm::cpu
