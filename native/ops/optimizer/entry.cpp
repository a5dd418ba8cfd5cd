// The functions of fovea.h for optimizer. Made by ops/generate from ops/optimizer.op.

#include "core/entry.h"
#include "ops/optimizer/operation.h"

using namespace fovea;

int32_t fovea_plan_optimizer(const fovea_optimizer_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(optimizer::kOperation, spec, device, plan);
}

int32_t fovea_run_optimizer(const fovea_plan* plan, fovea_call* call, const void* gradient,
    const float* rates, float* parameter, float* mean, float* square, void* out, void* workspace,
    void* scratch, void* stream) {
  const optimizer::ForwardOperands operands = { { gradient, rates }, parameter, mean, square, out };
  return run_pass(optimizer::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}
