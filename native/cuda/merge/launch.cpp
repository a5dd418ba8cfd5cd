// The kernel of a merge, and its launches.

#include "cuda/device.h"
#include "cuda/merge/plan.h"

namespace fovea::merge::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan&, int32_t) {
  return device::make_kernel("merge_parts", merge_kernel(), kThreads, 0, kBlocks);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

int32_t run_merge(const backend::Run& run, fovea_call& call) {
  MergeParams params =
      make_params(spec_of(run.plan), *static_cast<const ForwardOperands*>(run.operands));
  params.first_item = call.begin;
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

}  // namespace
}  // namespace fovea::merge::cuda

namespace fovea::merge {

extern const backend::Kernels kKernels = {
    {cuda::plan_merge},
    {cuda::run_merge},
    cuda::prepare,
};

}  // namespace fovea::merge
