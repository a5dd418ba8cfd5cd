// Which kernels a plan of linear attention stands for, and their launches.

#include "cuda/device.h"
#include "cuda/linear/make_params.h"
#include "cuda/linear/plan.h"

namespace fovea::linear::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan& plan) {
  const PlannedSweep sweep(plan, 0);
  return device::make_kernel(plan.kernel, forward_kernel(sweep.cut.panel),
                             sweep.threads(), sweep.chunk.bytes);
}

device::Kernel backward_kernel_of(const fovea_plan& plan, int32_t phase) {
  const auto sums = [](const char* name) {
    return device::make_kernel(name, backward_sums_kernel(), kSumThreads, kSumThreads * 8);
  };
  if (phase == kDecayPhase) return sums("linear_backward_decays");
  if (phase == kBetaPhase) return sums("linear_backward_betas");
  const PlannedSweep sweep(plan, phase);
  const auto kernel = [&](const char* name, auto* function) {
    return device::make_kernel(name, function, sweep.threads(), sweep.chunk.bytes);
  };
  switch (phase) {
    case kStartPhase:
      return spec_of(plan).normalised
                 ? kernel("linear_backward_weights", backward_weights_kernel(sweep.cut.panel))
                 : kernel("linear_backward_errors", forward_kernel(sweep.cut.panel));
    case kValuePhase:
      return kernel("linear_backward_values", backward_values_kernel(sweep.cut.panel));
    case kQueryPhase:
      return kernel("linear_backward_queries", backward_queries_kernel(sweep.cut.panel));
    default:
      return kernel("linear_backward_keys", backward_keys_kernel(sweep.cut.panel));
  }
}

int32_t prepare(fovea_plan& plan) {
  if (plan.pass == FOVEA_FORWARD) return device::prepare(kernel_of(plan), plan.error);
  return device::prepare_phases(plan, backward_kernel_of);
}

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const ForwardParams params =
      forward_params(run.plan, *static_cast<const ForwardOperands*>(run.operands), call);
  return device::launch(kernel_of(run.plan), &params, run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const BackwardParams params = backward_params(
      run.plan, *static_cast<const BackwardOperands*>(run.operands), call, run.workspace);
  const device::Kernel kernel = backward_kernel_of(run.plan, call.phase);
  if (call.phase == kDecayPhase || call.phase == kBetaPhase) {
    const SumParams sums = sum_params(params, call.phase);
    return device::launch(kernel, &sums, run, call);
  }
  if (call.phase == kStartPhase && !params.forward.spec.normalised) {
    return device::launch(kernel, &params.forward, run, call);
  }
  return device::launch(kernel, &params, run, call);
}

}  // namespace
}  // namespace fovea::linear::cuda

namespace fovea::linear {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::linear
