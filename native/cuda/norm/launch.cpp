// Which kernels a plan of normalization stands for, and their launches.

#include "cuda/device.h"
#include "cuda/norm/plan.h"

namespace fovea::norm::cuda {
namespace {

device::Kernel row_kernel(const NormParams& p, bool backward) {
  const int packet = packet_of(p), threads = p.lanes * p.groups;
  if (!backward) {
    return device::make_kernel("norm_forward", forward_kernel(packet), kThreads, kExchangeBytes, 3);
  }
  return device::make_kernel("norm_backward", backward_kernel(packet, threads), threads,
                             backward_bytes(packet), 512 / threads);
}

device::Kernel kernel_of(const fovea_plan& plan, int32_t phase) {
  const Spec& spec = spec_of(plan);
  if (spec.pass == FOVEA_FORWARD) return row_kernel(make_params(spec, ForwardOperands{}), false);
  if (phase == kSumPhase) {
    return device::make_kernel("norm_sums", sum_kernel(), kThreads, kSumBytes, 4);
  }
  return row_kernel(make_params(spec, BackwardOperands{}, nullptr), true);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

template <typename Params>
int32_t launch(Params params, const backend::Run& run, fovea_call& call) {
  params.first_item = call.begin;
  return device::launch(kernel_of(run.plan, call.phase), &params, run, call);
}

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  return launch(make_params(spec_of(run.plan), operands), run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const BackwardOperands*>(run.operands);
  if (call.phase == kSumPhase) {
    return launch(make_sum_params(spec, operands, run.workspace), run, call);
  }
  return launch(make_params(spec, operands, run.workspace), run, call);
}

}  // namespace
}  // namespace fovea::norm::cuda

namespace fovea::norm {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::norm
