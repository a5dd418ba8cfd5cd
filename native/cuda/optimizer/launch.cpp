// The kernel of a step, and its launches.

#include "cuda/device.h"
#include "cuda/optimizer/plan.h"

namespace fovea::optimizer::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan&, int32_t) {
  return device::make_kernel("optimizer_step", step_kernel(), kThreads, 0, kBlocks);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

int32_t run_step(const backend::Run& run, fovea_call& call) {
  OptimizerParams params =
      make_params(spec_of(run.plan), *static_cast<const ForwardOperands*>(run.operands));
  params.first_item = call.begin;
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

}  // namespace
}  // namespace fovea::optimizer::cuda

namespace fovea::optimizer {

extern const backend::Kernels kKernels = {
    {cuda::plan_step},
    {cuda::run_step},
    cuda::prepare,
};

}  // namespace fovea::optimizer
