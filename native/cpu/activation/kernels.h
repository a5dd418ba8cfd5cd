// The kernels that each instruction set tier of the CPU has for activation.
#pragma once

#include "core/backend.h"
#include "cpu/tier.h"

namespace fovea::activation::cpu {

using RunForward = void(const backend::Run&, const fovea_call&);
using RunBackward = void(const backend::Run&, const fovea_call&);

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::activation::cpu
