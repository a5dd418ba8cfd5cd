// What a run of activation is given. Made by ops/generate from ops/activation.op.
#pragma once

#include "fovea.h"

namespace fovea::activation {

using Spec = fovea_activation_spec;

struct Inputs {
  const void* x;
  const float* bias;
  const void* gate;
  const void* residual;
};

struct ForwardOperands : Inputs {
  void* out;
};

struct BackwardOperands : Inputs {
  const void* dout;
  void* dx;
  float* dbias;
  void* dgate;
  void* dresidual;
};

}  // namespace fovea::activation
