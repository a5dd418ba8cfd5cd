// What a run of rotary is given. Made by ops/generate from ops/rotary.op.
#pragma once

#include "fovea.h"

namespace fovea::rotary {

using Spec = fovea_rotary_spec;

struct Inputs {
  const void* x;
  const float* cosines;
  const float* sines;
  const int32_t* positions;
};

struct ForwardOperands : Inputs {
  void* out;
};

struct BackwardOperands : Inputs {
  const void* dout;
  void* dx;
};

}  // namespace fovea::rotary
