// The functions of fovea.h for norm. Made by ops/generate from ops/norm.op.

#include "core/entry.h"
#include "ops/norm/operation.h"

using namespace fovea;

int32_t fovea_plan_norm(const fovea_norm_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(norm::kOperation, spec, device, plan);
}

int32_t fovea_run_norm(const fovea_plan* plan, fovea_call* call, const void* x, const float* weight,
    const float* bias, void* out, float* mean, float* inverse, void* workspace, void* scratch,
    void* stream) {
  const norm::ForwardOperands operands = { { x, weight, bias }, out, mean, inverse };
  return run_pass(norm::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_norm_backward(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight, const float* bias, const void* dout, void* dx, float* dweight,
    float* dbias, void* workspace, void* scratch, void* stream) {
  const norm::BackwardOperands operands = { { x, weight, bias }, dout, dx, dweight, dbias };
  return run_pass(norm::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
