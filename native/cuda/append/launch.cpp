// The kernel of an append, and its launches.

#include "cuda/append/plan.h"
#include "cuda/device.h"

namespace fovea::append::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan&, int32_t) {
  return device::make_kernel("append_store", store_kernel(), kThreads, 0, kBlocks);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

int32_t run_append(const backend::Run& run, fovea_call& call) {
  AppendParams params =
      make_params(spec_of(run.plan), *static_cast<const ForwardOperands*>(run.operands));
  params.first_item = call.begin;
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

}  // namespace
}  // namespace fovea::append::cuda

namespace fovea::append {

extern const backend::Kernels kKernels = {
    {cuda::plan_append},
    {cuda::run_append},
    cuda::prepare,
};

}  // namespace fovea::append
