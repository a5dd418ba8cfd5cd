// How the work of a step is cut for the CPU.
#pragma once

#include "core/backend.h"
#include "ops/optimizer/optimizer.h"

namespace fovea::optimizer::cpu {

// Pick tiles; the spec is resolved.
int32_t plan_step(const fovea_device_info& device, fovea_plan& plan);

// One item: parameters [first, end) of rows [row, row_end).
struct Tile {
  int64_t row, row_end, first, end;
};

Tile tile_of(const fovea_plan& plan, int64_t item);

}  // namespace fovea::optimizer::cpu
