// The kernels that each instruction set tier of the CPU has for rotary position embedding.
#pragma once

#include "cpu/tier.h"
#include "ops/rotary/rotary.h"

namespace fovea::rotary::cpu {

// One item: rows [first, end) of a sequence, all heads. Positions are rows of the tables.
struct Tile {
  int64_t batch, first, end;
};

inline int64_t position_of(const Spec& spec, const Inputs& inputs, int64_t batch, int64_t row) {
  return spec.has_positions ? inputs.positions[batch * spec.positions_stride[0] + row] : row;
}

using RunForward = void(const Spec&, const ForwardOperands&, const Tile&);
using RunBackward = void(const Spec&, const BackwardOperands&, const Tile&);

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::rotary::cpu
