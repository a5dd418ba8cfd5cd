// What a run of additive is given. Made by ops/generate from ops/additive.op.
#pragma once

#include "fovea.h"

namespace fovea::additive {

using Spec = fovea_additive_spec;

struct Inputs {
  const void* query;
  const void* key;
  const void* value;
  const float* weight;
  const float* bias;
  const int32_t* cu_seqlens_q;
  const int32_t* cu_seqlens_k;
  const int32_t* query_lengths;
  const int32_t* key_lengths;
};

struct ForwardOperands : Inputs {
  void* out;
  float* lse;
  float* weights;
  float* top_weights;
  int32_t* top_keys;
};

struct BackwardOperands : Inputs {
  const void* dout;
  const void* out;
  const float* lse;
  void* dquery;
  void* dkey;
  void* dvalue;
  float* dweight;
  float* dbias;
};

}  // namespace fovea::additive
