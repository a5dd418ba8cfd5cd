// What every operation of the CPU does alike.
#pragma once

#include "core/backend.h"

namespace fovea::cpu {

int32_t prepare(fovea_plan& plan);
int32_t check_stream(const backend::Run& run, fovea_call& call);

}  // namespace fovea::cpu
