// Attention as every backend sees it: the operands of one run, and the checks that are the same for all.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fovea.h"

namespace fovea::attention {

// What forward and backward read alike.
struct Inputs {
  const void* query;
  const void* key;
  const void* value;
  const void* bias;
  const float* alibi_slopes;
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
};

struct BackwardOperands : Inputs {
  const void* dout;
  const void* out;
  const float* lse;
  void* dquery;
  void* dkey;
  void* dvalue;
  float* dbias;
  float* dalibi_slopes;
  float* dsinks;
};

// Validates `spec`, resolves its defaults into plan.spec and fills the fields of `plan` that do not
// depend on a kernel. Backends then choose kernel, tiles and memory.
int32_t plan_spec(const fovea_attention_spec& spec, fovea_attention_plan& plan);

// The same for `gradients` and plan.gradients; plan_spec has run.
int32_t plan_gradients(const fovea_attention_gradients& gradients, fovea_attention_plan& plan);

inline bool is_backward(const fovea_attention_plan& plan) { return plan.gradients.size != 0; }

// Checks what a run is given against its plan: presence of operands, phase and item range.
int32_t check_forward_call(const fovea_attention_plan& plan, const ForwardOperands& operands,
                   fovea_attention_call& call);
int32_t check_backward_call(const fovea_attention_plan& plan, const BackwardOperands& operands,
                            fovea_attention_call& call);

// The parts of these checks.
struct Presence {
  const char* name;
  const void* address;
  bool needed, allowed;
};
int32_t check_items(const fovea_attention_plan& plan, fovea_attention_call& call);
int32_t check_presence(const Presence* all, size_t count, fovea_attention_call& call);
// `lengths` is whether a run looks at lengths and cu_seqlens.
int32_t check_inputs(const fovea_attention_spec& spec, const Inputs& inputs, bool lengths,
                     fovea_attention_call& call);

}  // namespace fovea::attention
