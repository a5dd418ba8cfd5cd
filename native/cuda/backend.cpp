// A GPU behind core/backend.h, and the simulator: they differ in cuda/device.h alone.

#include "core/backend.h"

#include "cuda/attention/backend.h"
#include "cuda/device.h"

namespace fovea::backend {

const char* const kName = device::kBackend;
const int32_t kDeviceKind = FOVEA_DEVICE_CUDA;

void describe_build(char (&build)[160]) { device::describe_build(build); }

int32_t query(int32_t index, fovea_device_info& device) { return device::query(index, device); }

int32_t plan(const fovea_device_info& device, fovea_plan& plan) {
  return attention::cuda::plan_forward(device, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  return attention::cuda::plan_backward(device, plan);
}

int32_t prepare(fovea_plan& plan) { return attention::cuda::prepare(plan); }

int32_t run(const fovea_plan& plan, const attention::ForwardOperands& operands,
            fovea_call& call, void* workspace, void*, void* stream) {
  return attention::cuda::run_forward(plan, operands, call, workspace, stream);
}

int32_t run_backward(const fovea_plan& plan, const attention::BackwardOperands& operands,
                     fovea_call& call, void* workspace, void*, void* stream) {
  return attention::cuda::run_backward(plan, operands, call, workspace, stream);
}

}  // namespace fovea::backend
