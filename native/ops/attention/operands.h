// What a run of attention is given. Made by ops/generate from ops/attention.op.
#pragma once

#include "fovea.h"

namespace fovea::attention {

using Spec = fovea_attention_spec;

struct Inputs {
  const void* query;
  const void* key;
  const void* value;
  const float* query_scales;
  const float* key_scales;
  const float* value_scales;
  const int32_t* block_table;
  const uint8_t* tree_mask;
  const float* content_bias;
  const float* position_bias;
  const void* position_keys;
  const void* bias;
  const uint8_t* mask;
  const int32_t* block_offsets;
  const int32_t* block_indices;
  const float* relative_table;
  const int32_t* relative_buckets;
  const int32_t* modifier_program;
  const float* modifier_table;
  const float* alibi_slopes;
  const float* gaussian_centers;
  const float* spans;
  const float* key_gates;
  const void* output_gates;
  const float* sinks;
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
  void* ungated;
};

struct BackwardOperands : Inputs {
  const void* dout;
  const void* out;
  const float* lse;
  void* dquery;
  void* dkey;
  void* dvalue;
  float* dcontent_bias;
  float* dposition_bias;
  void* dposition_keys;
  float* dbias;
  float* drelative_table;
  float* dmodifier_table;
  float* dalibi_slopes;
  float* dgaussian_centers;
  float* dspans;
  float* dkey_gates;
  float* doutput_gates;
  float* dsinks;
};

}  // namespace fovea::attention
