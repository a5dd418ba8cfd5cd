// What a run of merge is given. Made by ops/generate from ops/merge.op.
#pragma once

#include "fovea.h"

namespace fovea::merge {

using Spec = fovea_merge_spec;

struct Inputs {
  const void* outs;
  const float* lses;
  const float* sinks;
};

struct ForwardOperands : Inputs {
  void* out;
  float* lse;
};

}  // namespace fovea::merge
