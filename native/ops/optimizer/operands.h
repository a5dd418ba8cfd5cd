// What a run of optimizer is given. Made by ops/generate from ops/optimizer.op.
#pragma once

#include "fovea.h"

namespace fovea::optimizer {

using Spec = fovea_optimizer_spec;

struct Inputs {
  const void* gradient;
  const float* rates;
};

struct ForwardOperands : Inputs {
  float* parameter;
  float* mean;
  float* square;
  void* out;
};

}  // namespace fovea::optimizer
