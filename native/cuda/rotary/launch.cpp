// The kernel of rotary position embedding, and its launches.

#include "cuda/device.h"
#include "cuda/rotary/plan.h"

namespace fovea::rotary::cuda {
namespace {

device::Kernel kernel_of(const fovea_plan&, int32_t) {
  return device::make_kernel("rotary_turn", turn_kernel(), kThreads, 0, kBlocks);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

template <typename Operands>
int32_t run_pass(const backend::Run& run, fovea_call& call) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const Operands*>(run.operands);
  RotaryParams params = make_params(spec, operands, turn_of(spec, operands));
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
}  // namespace fovea::rotary::cuda

namespace fovea::rotary {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::rotary
