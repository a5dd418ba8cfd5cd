// What a run of embedding is given. Made by ops/generate from ops/embedding.op.
#pragma once

#include "fovea.h"

namespace fovea::embedding {

using Spec = fovea_embedding_spec;

struct Inputs {
  const void* table;
  const int32_t* ids;
  const void* positions;
  const int32_t* position_ids;
};

struct ForwardOperands : Inputs {
  void* out;
};

struct BackwardOperands : Inputs {
  const void* dout;
  float* dtable;
  float* dpositions;
};

}  // namespace fovea::embedding
