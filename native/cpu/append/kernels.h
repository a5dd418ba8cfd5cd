// The kernel that each instruction set tier of the CPU has for an append.
#pragma once

#include "cpu/append/tiles.h"
#include "cpu/tier.h"

namespace fovea::append::cpu {

// `held` is a worker's scratch.
using StoreTile = void(const Spec&, const ForwardOperands&, const Tile&, float* held);

// That of a tier that runs here.
StoreTile* store_of(int isa);

}  // namespace fovea::append::cpu
