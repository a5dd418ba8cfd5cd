// Which kernels a plan of channel attention stands for, and their launches.

#include "cuda/channel/make_params.h"
#include "cuda/channel/plan.h"
#include "cuda/device.h"

namespace fovea::channel::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan& plan, int32_t phase) {
  const Spec& spec = spec_of(plan);
  if (is_scale(spec, phase)) {
    return device::make_kernel("channel_scale", scale_kernel(), kThreads, 0, 3);
  }
  switch (phase) {
    case kPoolPhase:
      if (spec.pass == FOVEA_FORWARD) {
        return device::make_kernel("channel_pool", pool_kernel(), kThreads, kExchangeBytes, 3);
      }
      return device::make_kernel("channel_backward_pool", backward_pool_kernel(), kThreads,
                                 2 * kExchangeBytes, 2);
    case kHiddenPhase:
    case kGatePhase:
      return device::make_kernel("channel_layer", layer_kernel(), kThreads, kLayerBytes, 2);
    default:
      return device::make_kernel("channel_backward_layer", backward_layer_kernel(), kThreads,
                                 kLayerBytes, 2);
  }
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const ChannelParams params = forward_params(
      run.plan, call, *static_cast<const ForwardOperands*>(run.operands), run.workspace);
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const ChannelParams params = backward_params(
      run.plan, call, *static_cast<const BackwardOperands*>(run.operands), run.workspace);
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

}  // namespace
}  // namespace fovea::channel::cuda

namespace fovea::channel {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::channel
