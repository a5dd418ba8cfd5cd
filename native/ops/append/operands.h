// What a run of append is given. Made by ops/generate from ops/append.op.
#pragma once

#include "fovea.h"

namespace fovea::append {

using Spec = fovea_append_spec;

struct Inputs {
  const void* key;
  const void* value;
  const int32_t* starts;
  const int32_t* lengths;
  const int32_t* cu_seqlens;
  const float* cosines;
  const float* sines;
  const int32_t* positions;
  const int32_t* block_table;
};

struct ForwardOperands : Inputs {
  void* key_cache;
  void* value_cache;
  float* key_scales;
  float* value_scales;
};

}  // namespace fovea::append
