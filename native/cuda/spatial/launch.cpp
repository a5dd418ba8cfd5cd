// Which kernels a plan of spatial attention stands for, and their launches.

#include "cuda/device.h"
#include "cuda/spatial/make_params.h"
#include "cuda/spatial/plan.h"

namespace fovea::spatial::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan& plan, int32_t phase) {
  const bool forward = plan.pass == FOVEA_FORWARD;
  switch (phase) {
    case kFoldPhase:
      if (forward) {
        return device::make_kernel("spatial_fold", fold_kernel(), kThreads, kFoldBytes, 3);
      }
      return device::make_kernel("spatial_backward_fold", backward_fold_kernel(), kThreads,
                                 kBackwardFoldBytes, 1);
    case kForwardScalePhase:
      if (forward) {
        return device::make_kernel("spatial_scale", scale_kernel(), kThreads, kScaleBytes, 2);
      }
      return device::make_kernel("spatial_backward_gates", gate_kernel(), kThreads, kGateBytes, 3);
    case kBackwardScalePhase:
      return device::make_kernel("spatial_backward_scale", backward_scale_kernel(), kThreads,
                                 kBackwardScaleBytes, 2);
    default:
      return device::make_kernel("spatial_backward_sums", sum_kernel(), kThreads, kSumBytes, 3);
  }
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const SpatialParams params = forward_params(
      run.plan, call, *static_cast<const ForwardOperands*>(run.operands), run.workspace);
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const SpatialParams params = backward_params(
      run.plan, call, *static_cast<const BackwardOperands*>(run.operands), run.workspace);
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

}  // namespace
}  // namespace fovea::spatial::cuda

namespace fovea::spatial {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::spatial
