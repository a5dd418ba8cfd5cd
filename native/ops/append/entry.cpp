// The functions of fovea.h for append. Made by ops/generate from ops/append.op.

#include "core/entry.h"
#include "ops/append/operation.h"

using namespace fovea;

int32_t fovea_plan_append(const fovea_append_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(append::kOperation, spec, device, plan);
}

int32_t fovea_run_append(const fovea_plan* plan, fovea_call* call, const void* key,
    const void* value, const int32_t* starts, const int32_t* lengths, const int32_t* cu_seqlens,
    const float* cosines, const float* sines, const int32_t* positions, const int32_t* block_table,
    void* key_cache, void* value_cache, float* key_scales, float* value_scales, void* workspace,
    void* scratch, void* stream) {
  const append::ForwardOperands operands = { { key, value, starts, lengths, cu_seqlens, cosines,
      sines, positions, block_table }, key_cache, value_cache, key_scales, value_scales };
  return run_pass(append::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}
