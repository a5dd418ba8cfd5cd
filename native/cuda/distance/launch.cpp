// Which kernels a plan of distance attention stands for, and their launches.

#include "cuda/distance/make_params.h"
#include "cuda/distance/plan.h"
#include "cuda/device.h"

namespace fovea::distance::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  return with_forward_tile(plan.variant, [&](auto* tile) {
    const int shared = tile->shared_bytes(0, int(spec.value_head_dim));
    return device::make_kernel(plan.kernel, forward_kernel(plan.variant), kThreads, shared,
                               tile->kBlocks);
  });
}

device::Kernel backward_kernel_of(const fovea_plan&, int32_t phase) {
  const int shared = BackwardTile::shared_bytes(0);
  switch (phase) {
    case kRowsPhase:
      return device::make_kernel("distance_backward_rows", backward_rows_kernel(), kThreads, shared,
                                 2);
    case kKeysPhase:
      return device::make_kernel("distance_backward_keys", backward_keys_kernel(), kThreads, shared,
                                 2);
    case kQueriesPhase:
      return device::make_kernel("distance_backward_queries", backward_queries_kernel(), kThreads,
                                 shared, 2);
    default:
      return device::make_kernel("distance_backward_sums", backward_sums_kernel(), kThreads,
                                 kSumsBytes);
  }
}

int32_t prepare(fovea_plan& plan) {
  if (plan.pass == FOVEA_FORWARD) return device::prepare(kernel_of(plan), plan.error);
  return device::prepare_phases(plan, backward_kernel_of);
}

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const DistanceParams params =
      forward_params(run.plan, *static_cast<const ForwardOperands*>(run.operands), call);
  return device::launch(kernel_of(run.plan), &params, run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const BackwardParams params = backward_params(
      run.plan, *static_cast<const BackwardOperands*>(run.operands), call, run.workspace);
  return device::launch(backward_kernel_of(run.plan, call.phase), &params, run, call);
}

}  // namespace
}  // namespace fovea::distance::cuda

namespace fovea::distance {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::distance
