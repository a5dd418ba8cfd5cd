// What every operation of the CPU does alike.
#pragma once

#include "core/backend.h"

namespace fovea::cpu {

// Refuses a plan whose instruction set this machine lacks.
int32_t prepare(fovea_plan& plan);

}  // namespace fovea::cpu
