// The kernel that each instruction set tier of the CPU has for rotary position embedding.
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

using TurnTile = void(const Spec&, const Inputs&, const Turn&, const Tile&);

// That of a tier that runs here.
TurnTile* kernel_of(int isa);

}  // namespace fovea::rotary::cpu
