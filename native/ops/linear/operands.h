// What a run of linear is given. Made by ops/generate from ops/linear.op.
#pragma once

#include "fovea.h"

namespace fovea::linear {

using Spec = fovea_linear_spec;

struct Inputs {
  const void* query;
  const void* key;
  const void* value;
  const void* decay;
  const void* key_decay;
  const void* beta;
  const float* initial_state;
  const float* initial_sum;
  const int32_t* cu_seqlens_q;
  const int32_t* cu_seqlens_k;
  const int32_t* query_lengths;
  const int32_t* key_lengths;
};

struct ForwardOperands : Inputs {
  void* out;
  float* final_state;
  float* final_sum;
};

struct BackwardOperands : Inputs {
  const void* dout;
  const void* out;
  void* dquery;
  void* dkey;
  void* dvalue;
  float* ddecay;
  float* dkey_decay;
  float* dbeta;
  float* dinitial_state;
  float* dinitial_sum;
};

}  // namespace fovea::linear
