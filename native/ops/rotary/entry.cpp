// The functions of fovea.h for rotary. Made by ops/generate from ops/rotary.op.

#include "core/entry.h"
#include "ops/rotary/operation.h"

using namespace fovea;

int32_t fovea_plan_rotary(const fovea_rotary_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(rotary::kOperation, spec, device, plan);
}

int32_t fovea_run_rotary(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* cosines, const float* sines, const int32_t* positions, void* out, void* workspace,
    void* scratch, void* stream) {
  const rotary::ForwardOperands operands = { { x, cosines, sines, positions }, out };
  return run_pass(rotary::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_rotary_backward(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* cosines, const float* sines, const int32_t* positions, const void* dout, void* dx,
    void* workspace, void* scratch, void* stream) {
  const rotary::BackwardOperands operands = { { x, cosines, sines, positions }, dout, dx };
  return run_pass(rotary::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
