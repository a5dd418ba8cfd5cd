// The functions of fovea.h for merge. Made by ops/generate from ops/merge.op.

#include "core/entry.h"
#include "ops/merge/operation.h"

using namespace fovea;

int32_t fovea_plan_merge(const fovea_merge_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(merge::kOperation, spec, device, plan);
}

int32_t fovea_run_merge(const fovea_plan* plan, fovea_call* call, const void* outs,
    const float* lses, const float* sinks, void* out, float* lse, void* workspace, void* scratch,
    void* stream) {
  const merge::ForwardOperands operands = { { outs, lses, sinks }, out, lse };
  return run_pass(merge::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}
