// The functions of fovea.h for cross_entropy. Made by ops/generate from ops/cross_entropy.op.

#include "core/entry.h"
#include "ops/cross_entropy/operation.h"

using namespace fovea;

int32_t fovea_plan_cross_entropy(const fovea_cross_entropy_spec* spec,
    const fovea_device_info* device, fovea_plan* plan) {
  return plan_pass(cross_entropy::kOperation, spec, device, plan);
}

int32_t fovea_run_cross_entropy(const fovea_plan* plan, fovea_call* call, const void* logits,
    const int32_t* targets, const float* class_weight, float* out, float* lse, void* workspace,
    void* scratch, void* stream) {
  const cross_entropy::ForwardOperands operands = { { logits, targets, class_weight }, out, lse };
  return run_pass(cross_entropy::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace,
      scratch, stream);
}

int32_t fovea_run_cross_entropy_backward(const fovea_plan* plan, fovea_call* call,
    const void* logits, const int32_t* targets, const float* class_weight, const float* dout,
    const float* lse, void* dlogits, void* workspace, void* scratch, void* stream) {
  const cross_entropy::BackwardOperands operands = { { logits, targets, class_weight }, dout, lse,
      dlogits };
  return run_pass(cross_entropy::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace,
      scratch, stream);
}
