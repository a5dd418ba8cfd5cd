// Attention as an operation of the CPU.

#include "cpu/attention/passes.h"
#include "cpu/backend.h"

namespace fovea::attention::cpu {

extern const backend::Kernels kKernels = {
    [](const fovea_device_info& device, fovea_plan& plan) {
      return plan.pass == FOVEA_FORWARD ? plan_forward(device, plan) : plan_backward(device, plan);
    },
    fovea::cpu::prepare,
    [](const backend::Run& run, fovea_call& call) {
      if (int32_t status = fovea::cpu::check_stream(run, call)) return status;
      return run.plan.pass == FOVEA_FORWARD ? run_forward(run, call) : run_backward(run, call);
    },
};

}  // namespace fovea::attention::cpu
