// The functions of fovea.h for activation. Made by ops/generate from ops/activation.op.

#include "core/entry.h"
#include "ops/activation/operation.h"

using namespace fovea;

int32_t fovea_plan_activation(const fovea_activation_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(activation::kOperation, spec, device, plan);
}

int32_t fovea_run_activation(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* bias, const void* gate, const void* residual, void* out, void* workspace,
    void* scratch, void* stream) {
  const activation::ForwardOperands operands = { { x, bias, gate, residual }, out };
  return run_pass(activation::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_activation_backward(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* bias, const void* gate, const void* residual, const void* dout, void* dx,
    float* dbias, void* dgate, void* dresidual, void* workspace, void* scratch, void* stream) {
  const activation::BackwardOperands operands = { { x, bias, gate, residual }, dout, dx, dbias,
      dgate, dresidual };
  return run_pass(activation::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
