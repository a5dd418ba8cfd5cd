// Which kernels a plan of a projection stands for, and their launches.

#include "cuda/device.h"
#include "cuda/projection/make_params.h"
#include "cuda/projection/plan.h"

namespace fovea::projection::cuda {
namespace {

device::Kernel product_kernel(const char* name, ProductKernel* function) {
  return device::make_kernel(name, function, kThreads, kSharedBytes, kBlocks);
}

device::Kernel kernel_of(const fovea_plan& plan, int32_t phase) {
  const Precision precision = precision_of(spec_of(plan).dtype);
  if (plan.pass == FOVEA_FORWARD && phase == kOutPhase) {
    return product_kernel(plan.kernel, out_kernel(precision));
  }
  if (plan.pass == FOVEA_BACKWARD) {
    switch (phase) {
      case kDoutPhase:
        return device::make_kernel("projection_convert", convert_kernel(), kSumThreads, 0, 4);
      case kInputPhase:
        return product_kernel("projection_input", input_kernel(precision));
      case kWeightPhase:
        return product_kernel("projection_weight", weight_kernel(precision));
    }
  }
  return device::make_kernel("projection_sums", sum_kernel(), kSumThreads, 0, 4);
}

int32_t prepare(fovea_plan& plan) { return device::prepare_phases(plan, kernel_of); }

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  const device::Kernel kernel = kernel_of(run.plan, call.phase);
  const ProductParams product = out_params(run.plan, call, operands, run.workspace);
  if (call.phase == kOutPhase) return device::launch(kernel, &product, run, call);
  const SumParams sums = sum_params(product, call, true, out_of(spec_of(run.plan), operands));
  return device::launch(kernel, &sums, run, call);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  const auto& operands = *static_cast<const BackwardOperands*>(run.operands);
  const device::Kernel kernel = kernel_of(run.plan, call.phase);
  if (call.phase == kDoutPhase) {
    const ConvertParams convert = convert_params(run.plan, call, operands, run.workspace);
    return device::launch(kernel, &convert, run, call);
  }
  if (call.phase == kInputPhase) {
    const ProductParams product = input_params(run.plan, call, operands, run.workspace);
    return device::launch(kernel, &product, run, call);
  }
  const ProductParams product = weight_params(run.plan, call, operands, run.workspace);
  if (call.phase == kWeightPhase) return device::launch(kernel, &product, run, call);
  const SumParams sums = sum_params(product, call, false, dweight_of(spec_of(run.plan), operands));
  return device::launch(kernel, &sums, run, call);
}

}  // namespace
}  // namespace fovea::projection::cuda

namespace fovea::projection {

extern const backend::Kernels kKernels = {
    {cuda::plan_forward, cuda::plan_backward},
    {cuda::run_forward, cuda::run_backward},
    cuda::prepare,
};

}  // namespace fovea::projection
