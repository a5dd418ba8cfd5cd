// What the ABI layer hands to a backend: the operands of one run, and what the planner decided.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fovea.h"

namespace fovea {

// What forward and backward read alike.
struct AttentionInputs {
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

struct AttentionOperands : AttentionInputs {
  void* out;
  float* lse;
  float* weights;
};

struct BackwardOperands : AttentionInputs {
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

// One sequence of the batch: where its rows start and how many there are.
struct Sequence {
  int64_t query_start, query_length;
  int64_t key_start, key_length;
  int64_t key_rows;  // those behind its length included
};

// Validates `spec`, resolves its defaults into plan.spec and fills the fields of `plan` that do not
// depend on a kernel. Backends then choose kernel, tiles and memory in plan_<backend>.
int32_t plan_common(const fovea_attention_spec& spec, fovea_attention_plan& plan);

// The same for `gradients` and plan.gradients; plan_common has run.
int32_t plan_gradients(const fovea_attention_gradients& gradients, fovea_attention_plan& plan);

inline bool is_backward(const fovea_attention_plan& plan) { return plan.gradients.size != 0; }

// Tiles for plan.spec on `device`; plan_common has run.
int32_t plan_cpu(const fovea_device_info& device, fovea_attention_plan& plan);
int32_t plan_cuda(const fovea_device_info& device, fovea_attention_plan& plan);

// Tiles for the backward pass; plan_gradients has run.
int32_t plan_cpu_backward(const fovea_device_info& device, fovea_attention_plan& plan);
int32_t plan_cuda_backward(const fovea_device_info& device, fovea_attention_plan& plan);

// Sets plan.isa to that of a CPU, if the device has it.
int32_t pick_cpu_tier(const fovea_device_info& device, fovea_attention_plan& plan);

// Checks what a run is given against its plan: presence of operands, phase and item range.
int32_t check_call(const fovea_attention_plan& plan, const AttentionOperands& operands,
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
int32_t check_inputs(const fovea_attention_spec& spec, const AttentionInputs& inputs, bool lengths,
                     fovea_attention_call& call);

}  // namespace fovea
