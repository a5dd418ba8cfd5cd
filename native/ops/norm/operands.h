// What a run of norm is given. Made by ops/generate from ops/norm.op.
#pragma once

#include "fovea.h"

namespace fovea::norm {

using Spec = fovea_norm_spec;

struct Inputs {
  const void* x;
  const float* weight;
  const float* bias;
};

struct ForwardOperands : Inputs {
  void* out;
  float* mean;
  float* inverse;
};

struct BackwardOperands : Inputs {
  const void* dout;
  void* dx;
  float* dweight;
  float* dbias;
};

}  // namespace fovea::norm
