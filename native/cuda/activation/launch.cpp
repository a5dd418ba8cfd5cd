// Which kernels a plan of activation stands for, and their launches.

#include <algorithm>

#include "cuda/activation/plan.h"
#include "cuda/device.h"

namespace fovea::activation::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan& plan, int32_t phase) {
  if (plan.pass == FOVEA_FORWARD) {
    return device::make_kernel("activation_forward", forward_kernel(), kThreads, kMaskBytes,
                               kBlocks);
  }
  if (phase == kSumPhase) {
    return device::make_kernel("activation_sums", sum_kernel(), kThreads, 0, kSumBlocks);
  }
  return device::make_kernel("activation_backward", backward_kernel(), kThreads,
                             std::max(kMaskBytes, kSumBytes), kBlocks);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

template <typename Operands>
ActivationParams params_of(const backend::Run& run, const fovea_call& call) {
  ActivationParams p =
      make_params(spec_of(run.plan), *static_cast<const Operands*>(run.operands));
  p.first_item = call.begin;
  p.dropout_seed = call.dropout_seed;
  p.dropout_offset = call.dropout_offset;
  return p;
}

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const ActivationParams p = params_of<ForwardOperands>(run, call);
  return device::launch(kernel_of(run.plan, call.phase), &p, run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  ActivationParams p = params_of<BackwardOperands>(run, call);
  p.parts = spec.has_dbias ? static_cast<float*>(run.workspace) : nullptr;
  const device::Kernel kernel = kernel_of(run.plan, call.phase);
  if (call.phase != kSumPhase) return device::launch(kernel, &p, run, call);
  const SumParams sums = {call.begin, p.parts,     static_cast<const BackwardOperands*>(run.operands)->dbias,
                          p.row_tiles, p.width, spec.accumulate != 0};
  return device::launch(kernel, &sums, run, call);
}

}  // namespace
}  // namespace fovea::activation::cuda

namespace fovea::activation {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::activation
