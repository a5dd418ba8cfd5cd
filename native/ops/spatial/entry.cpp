// The functions of fovea.h for spatial. Made by ops/generate from ops/spatial.op.

#include "core/entry.h"
#include "ops/spatial/operation.h"

using namespace fovea;

int32_t fovea_plan_spatial(const fovea_spatial_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(spatial::kOperation, spec, device, plan);
}

int32_t fovea_run_spatial(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight, const float* bias, void* out, void* workspace, void* scratch,
    void* stream) {
  const spatial::ForwardOperands operands = { { x, weight, bias }, out };
  return run_pass(spatial::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_spatial_backward(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight, const float* bias, const void* dout, void* dx, float* dweight,
    float* dbias, void* workspace, void* scratch, void* stream) {
  const spatial::BackwardOperands operands = { { x, weight, bias }, dout, dx, dweight, dbias };
  return run_pass(spatial::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
