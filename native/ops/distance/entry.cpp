// The functions of fovea.h for distance. Made by ops/generate from ops/distance.op.

#include "core/entry.h"
#include "ops/distance/operation.h"

using namespace fovea;

int32_t fovea_plan_distance(const fovea_distance_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(distance::kOperation, spec, device, plan);
}

int32_t fovea_run_distance(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const float* bandwidth, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    void* out, float* lse, float* weights, float* top_weights, int32_t* top_keys, void* workspace,
    void* scratch, void* stream) {
  const distance::ForwardOperands operands = { { query, key, value, bandwidth, cu_seqlens_q,
      cu_seqlens_k, query_lengths, key_lengths }, out, lse, weights, top_weights, top_keys };
  return run_pass(distance::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_distance_backward(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const float* bandwidth, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    const void* dout, const void* out, const float* lse, void* dquery, void* dkey, void* dvalue,
    float* dbandwidth, void* workspace, void* scratch, void* stream) {
  const distance::BackwardOperands operands = { { query, key, value, bandwidth, cu_seqlens_q,
      cu_seqlens_k, query_lengths, key_lengths }, dout, out, lse, dquery, dkey, dvalue,
      dbandwidth };
  return run_pass(distance::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
