// The kernels of embedding lookup, and their launches.

#include "cuda/device.h"
#include "cuda/embedding/plan.h"

namespace fovea::embedding::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan& plan, int32_t phase) {
  if (plan.pass == FOVEA_FORWARD) {
    return device::make_kernel("embedding_lookup", lookup_kernel(), kThreads, 0, 3);
  }
  if (phase == kListPhase) {
    return device::make_kernel("embedding_lists", lists_kernel(), kListThreads, kListBytes, 2);
  }
  return device::make_kernel("embedding_sums", sums_kernel(), kThreads, kSumBytes, 2);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  LookupParams params = lookup_params(spec_of(run.plan),
                                      *static_cast<const ForwardOperands*>(run.operands));
  params.first_item = call.begin;
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  BackwardParams params =
      backward_params(spec_of(run.plan), *static_cast<const BackwardOperands*>(run.operands),
                      run.workspace);
  params.first_item = call.begin;
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

}  // namespace
}  // namespace fovea::embedding::cuda

namespace fovea::embedding {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::embedding
