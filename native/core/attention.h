// What the ABI layer hands to a backend: the operands of one run, and what the planner decided.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fovea.h"

namespace fovea {

struct AttentionOperands {
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
  void* out;
  float* lse;
  float* weights;
};

// One sequence of the batch: where its rows start and how many there are.
struct Sequence {
  int64_t query_start, query_length;
  int64_t key_start, key_length;
};

// Validates `spec`, resolves its defaults into plan.spec and fills the fields of `plan` that do not
// depend on a kernel. Backends then choose kernel, tiles and memory in plan_<backend>.
int32_t plan_common(const fovea_attention_spec& spec, fovea_attention_plan& plan);

// Tiles for plan.spec on `device`; plan_common has run.
int32_t plan_cpu(const fovea_device_info& device, fovea_attention_plan& plan);
int32_t plan_cuda(const fovea_device_info& device, fovea_attention_plan& plan);

// Checks what a run is given against its plan: presence of operands, phase and item range.
int32_t check_call(const fovea_attention_plan& plan, const AttentionOperands& operands,
                   fovea_attention_call& call);

}  // namespace fovea
