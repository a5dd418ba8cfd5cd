// The kernels of cross-entropy, and their launches.

#include "cuda/cross_entropy/plan.h"
#include "cuda/device.h"

namespace fovea::cross_entropy::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan& plan, int32_t phase) {
  if (phase == kWeightPhase) {
    return device::make_kernel("cross_entropy_weights", weights_kernel(), kThreads, kWeightBytes);
  }
  if (plan.pass == FOVEA_FORWARD) {
    return device::make_kernel("cross_entropy_losses", losses_kernel(), kThreads, kForwardBytes, 4);
  }
  return device::make_kernel("cross_entropy_gradients", gradients_kernel(), kThreads, 0, 3);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

template <typename Operands>
int32_t run_pass(const backend::Run& run, fovea_call& call) {
  CrossEntropyParams params = make_params(
      spec_of(run.plan), *static_cast<const Operands*>(run.operands), run.workspace);
  params.first_item = call.begin;
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  return run_pass<ForwardOperands>(run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  return run_pass<BackwardOperands>(run, call);
}

}  // namespace
}  // namespace fovea::cross_entropy::cuda

namespace fovea::cross_entropy {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::cross_entropy
