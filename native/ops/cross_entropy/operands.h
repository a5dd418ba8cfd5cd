// What a run of cross_entropy is given. Made by ops/generate from ops/cross_entropy.op.
#pragma once

#include "fovea.h"

namespace fovea::cross_entropy {

using Spec = fovea_cross_entropy_spec;

struct Inputs {
  const void* logits;
  const int32_t* targets;
  const float* class_weight;
};

struct ForwardOperands : Inputs {
  float* out;
  float* lse;
};

struct BackwardOperands : Inputs {
  const float* dout;
  const float* lse;
  void* dlogits;
};

}  // namespace fovea::cross_entropy
