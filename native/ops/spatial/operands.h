// What a run of spatial is given. Made by ops/generate from ops/spatial.op.
#pragma once

#include "fovea.h"

namespace fovea::spatial {

using Spec = fovea_spatial_spec;

struct Inputs {
  const void* x;
  const float* weight;
  const float* bias;
};

struct ForwardOperands : Inputs {
  void* out;
};

struct BackwardOperands : Inputs {
  const void* dout;
  void* dx;
  float* dweight;
  float* dbias;
};

}  // namespace fovea::spatial
