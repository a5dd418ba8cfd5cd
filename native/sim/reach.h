// The memory that a plan lets its kernels touch, operand by operand.
#pragma once

#include <vector>

#include "core/backend.h"
#include "sim/sim.h"

namespace fovea::sim {

std::vector<Extent> reach(const backend::Run& run);

}  // namespace fovea::sim
