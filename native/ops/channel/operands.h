// What a run of channel is given. Made by ops/generate from ops/channel.op.
#pragma once

#include "fovea.h"

namespace fovea::channel {

using Spec = fovea_channel_spec;

struct Inputs {
  const void* x;
  const float* weight1;
  const float* bias1;
  const float* weight2;
  const float* bias2;
};

struct ForwardOperands : Inputs {
  void* out;
};

struct BackwardOperands : Inputs {
  const void* dout;
  void* dx;
  float* dweight1;
  float* dbias1;
  float* dweight2;
  float* dbias2;
};

}  // namespace fovea::channel
