// What a run of projection is given. Made by ops/generate from ops/projection.op.
#pragma once

#include "fovea.h"

namespace fovea::projection {

using Spec = fovea_projection_spec;

struct Inputs {
  const void* x;
  const void* weight;
  const int32_t* lengths;
};

struct ForwardOperands : Inputs {
  void* out;
};

struct BackwardOperands : Inputs {
  const void* dout;
  void* dx;
  float* dweight;
};

}  // namespace fovea::projection
