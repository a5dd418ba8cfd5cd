// The functions of fovea.h for channel. Made by ops/generate from ops/channel.op.

#include "core/entry.h"
#include "ops/channel/operation.h"

using namespace fovea;

int32_t fovea_plan_channel(const fovea_channel_spec* spec, const fovea_device_info* device,
    fovea_plan* plan) {
  return plan_pass(channel::kOperation, spec, device, plan);
}

int32_t fovea_run_channel(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight1, const float* bias1, const float* weight2, const float* bias2, void* out,
    void* workspace, void* scratch, void* stream) {
  const channel::ForwardOperands operands = { { x, weight1, bias1, weight2, bias2 }, out };
  return run_pass(channel::kOperation, FOVEA_FORWARD, plan, call, &operands, workspace, scratch,
      stream);
}

int32_t fovea_run_channel_backward(const fovea_plan* plan, fovea_call* call, const void* x,
    const float* weight1, const float* bias1, const float* weight2, const float* bias2,
    const void* dout, void* dx, float* dweight1, float* dbias1, float* dweight2, float* dbias2,
    void* workspace, void* scratch, void* stream) {
  const channel::BackwardOperands operands = { { x, weight1, bias1, weight2, bias2 }, dout, dx,
      dweight1, dbias1, dweight2, dbias2 };
  return run_pass(channel::kOperation, FOVEA_BACKWARD, plan, call, &operands, workspace, scratch,
      stream);
}
