// The functions of fovea.h for embedding. Made by ops/generate from ops/embedding.op.

#include "core/entry.h"
#include "ops/embedding/operation.h"

using namespace fovea;

int32_t fovea_plan_embedding(const fovea_embedding_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(embedding::kOperation, spec, device, plan);
}

int32_t fovea_run_embedding(const fovea_plan* plan, fovea_call* call, const void* table,
    const int32_t* ids, const void* positions, const int32_t* position_ids, void* out,
    void* workspace, void* scratch, void* stream) {
  const embedding::ForwardOperands operands = { { table, ids, positions, position_ids }, out };
  return run_pass(embedding::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_embedding_backward(const fovea_plan* plan, fovea_call* call, const void* table,
    const int32_t* ids, const void* positions, const int32_t* position_ids, const void* dout,
    float* dtable, float* dpositions, void* workspace, void* scratch, void* stream) {
  const embedding::BackwardOperands operands = { { table, ids, positions, position_ids }, dout,
      dtable, dpositions };
  return run_pass(embedding::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
