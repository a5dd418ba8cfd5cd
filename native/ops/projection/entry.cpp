// The functions of fovea.h for projection. Made by ops/generate from ops/projection.op.

#include "core/entry.h"
#include "ops/projection/operation.h"

using namespace fovea;

int32_t fovea_plan_projection(const fovea_projection_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(projection::kOperation, spec, device, plan);
}

int32_t fovea_run_projection(const fovea_plan* plan, fovea_call* call, const void* x,
    const void* weight, const int32_t* lengths, void* out, void* workspace, void* scratch,
    void* stream) {
  const projection::ForwardOperands operands = { { x, weight, lengths }, out };
  return run_pass(projection::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_projection_backward(const fovea_plan* plan, fovea_call* call, const void* x,
    const void* weight, const int32_t* lengths, const void* dout, void* dx, float* dweight,
    void* workspace, void* scratch, void* stream) {
  const projection::BackwardOperands operands = { { x, weight, lengths }, dout, dx, dweight };
  return run_pass(projection::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
