// Which kernels a plan of distance attention stands for, and their launches.

#include "cuda/distance/make_params.h"
#include "cuda/distance/plan.h"
#include "cuda/device.h"

namespace fovea::distance::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan& plan, int32_t phase) {
  const Spec& spec = spec_of(plan);
  if (finds_fits(plan, phase)) {
    return device::make_kernel("distance_fits", fits_kernel(), kThreads, fits_shared_bytes(spec),
                               2);
  }
  return with_forward_tile(plan.variant, [&](auto* tile) {
    return device::make_kernel(plan.kernel, forward_kernel(plan.variant, is_linear(spec)), kThreads,
                               out_shared_bytes(*tile, spec), tile->kBlocks);
  });
}

device::Kernel backward_kernel_of(const fovea_plan& plan, int32_t phase) {
  const Spec& spec = spec_of(plan);
  const bool fits = is_linear(spec);
  const int shared = backward_shared_bytes(spec, phase);
  switch (phase) {
    case kRowsPhase:
      if (fits) {
        return device::make_kernel("distance_backward_fits", backward_fits_kernel(), kThreads,
                                   shared, 2);
      }
      return device::make_kernel("distance_backward_rows", backward_rows_kernel(), kThreads, shared,
                                 2);
    case kKeysPhase:
      return device::make_kernel("distance_backward_keys", backward_keys_kernel(fits), kThreads,
                                 shared, 2);
    case kQueriesPhase:
      return device::make_kernel("distance_backward_queries", backward_queries_kernel(fits),
                                 kThreads, shared, 2);
    default:
      return device::make_kernel("distance_backward_sums", backward_sums_kernel(), kThreads,
                                 kSumsBytes);
  }
}

int32_t prepare(fovea_plan& plan) {
  return device::prepare_phases(plan, plan.pass == FOVEA_FORWARD ? kernel_of : backward_kernel_of);
}

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const DistanceParams params = forward_params(
      run.plan, *static_cast<const ForwardOperands*>(run.operands), call, run.workspace);
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
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
