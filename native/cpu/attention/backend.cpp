// Attention as an operation of the CPU.

#include "cpu/attention/passes.h"
#include "cpu/backend.h"

namespace fovea::attention {

extern const backend::Kernels kKernels = {
    {cpu::plan_forward, cpu::plan_backward},
    {cpu::run_forward, cpu::run_backward},
    fovea::cpu::prepare,
};

}  // namespace fovea::attention
