// The functions of fovea.h for attention. Made by ops/generate from ops/attention.op.

#include "core/entry.h"
#include "ops/attention/operation.h"

using namespace fovea;

int32_t fovea_plan_attention(const fovea_attention_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(attention::kOperation, spec, device, plan);
}

int32_t fovea_run_attention(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const float* query_scales, const float* key_scales,
    const float* value_scales, const int32_t* block_table, const uint8_t* tree_mask,
    const float* content_bias, const float* position_bias, const void* position_keys,
    const void* bias, const uint8_t* mask, const int32_t* block_offsets,
    const int32_t* block_indices, const float* relative_table, const int32_t* relative_buckets,
    const int32_t* modifier_program, const float* modifier_table, const float* alibi_slopes,
    const float* gaussian_centers, const float* spans, const float* key_gates,
    const void* output_gates, const float* sinks, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    void* out, float* lse, float* weights, float* top_weights, int32_t* top_keys, void* ungated,
    void* workspace, void* scratch, void* stream) {
  const attention::ForwardOperands operands = { { query, key, value, query_scales, key_scales,
      value_scales, block_table, tree_mask, content_bias, position_bias, position_keys, bias, mask,
      block_offsets, block_indices, relative_table, relative_buckets, modifier_program,
      modifier_table, alibi_slopes, gaussian_centers, spans, key_gates, output_gates, sinks,
      cu_seqlens_q, cu_seqlens_k, query_lengths, key_lengths }, out, lse, weights, top_weights,
      top_keys, ungated };
  return run_pass(attention::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_attention_backward(const fovea_plan* plan, fovea_call* call, const void* query,
    const void* key, const void* value, const float* query_scales, const float* key_scales,
    const float* value_scales, const int32_t* block_table, const uint8_t* tree_mask,
    const float* content_bias, const float* position_bias, const void* position_keys,
    const void* bias, const uint8_t* mask, const int32_t* block_offsets,
    const int32_t* block_indices, const float* relative_table, const int32_t* relative_buckets,
    const int32_t* modifier_program, const float* modifier_table, const float* alibi_slopes,
    const float* gaussian_centers, const float* spans, const float* key_gates,
    const void* output_gates, const float* sinks, const int32_t* cu_seqlens_q,
    const int32_t* cu_seqlens_k, const int32_t* query_lengths, const int32_t* key_lengths,
    const void* dout, const void* out, const float* lse, void* dquery, void* dkey, void* dvalue,
    float* dcontent_bias, float* dposition_bias, void* dposition_keys, float* dbias,
    float* drelative_table, float* dmodifier_table, float* dalibi_slopes, float* dgaussian_centers,
    float* dspans, float* dkey_gates, float* doutput_gates, float* dsinks, void* workspace,
    void* scratch, void* stream) {
  const attention::BackwardOperands operands = { { query, key, value, query_scales, key_scales,
      value_scales, block_table, tree_mask, content_bias, position_bias, position_keys, bias, mask,
      block_offsets, block_indices, relative_table, relative_buckets, modifier_program,
      modifier_table, alibi_slopes, gaussian_centers, spans, key_gates, output_gates, sinks,
      cu_seqlens_q, cu_seqlens_k, query_lengths, key_lengths }, dout, out, lse, dquery, dkey,
      dvalue, dcontent_bias, dposition_bias, dposition_keys, dbias, drelative_table,
      dmodifier_table, dalibi_slopes, dgaussian_centers, dspans, dkey_gates, doutput_gates,
      dsinks };
  return run_pass(attention::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
