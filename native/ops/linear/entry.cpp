// The functions of fovea.h for linear. Made by ops/generate from ops/linear.op.

#include "core/entry.h"
#include "ops/linear/operation.h"

using namespace fovea;

int32_t fovea_plan_linear(const fovea_linear_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(linear::kOperation, spec, device, plan);
}

int32_t fovea_run_linear(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const void* decay, const void* key_decay, const void* beta,
    const float* initial_state, const float* initial_sum, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    void* out, float* final_state, float* final_sum, void* workspace, void* scratch, void* stream) {
  const linear::ForwardOperands operands = { { query, key, value, decay, key_decay, beta,
      initial_state, initial_sum, cu_seqlens_q, cu_seqlens_k, query_lengths, key_lengths }, out,
      final_state, final_sum };
  return run_pass(linear::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_linear_backward(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const void* decay, const void* key_decay, const void* beta,
    const float* initial_state, const float* initial_sum, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    const void* dout, const void* out, void* dquery, void* dkey, void* dvalue, float* ddecay,
    float* dkey_decay, float* dbeta, float* dinitial_state, float* dinitial_sum, void* workspace,
    void* scratch, void* stream) {
  const linear::BackwardOperands operands = { { query, key, value, decay, key_decay, beta,
      initial_state, initial_sum, cu_seqlens_q, cu_seqlens_k, query_lengths, key_lengths }, dout,
      out, dquery, dkey, dvalue, ddecay, dkey_decay, dbeta, dinitial_state, dinitial_sum };
  return run_pass(linear::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
