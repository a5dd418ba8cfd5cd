// Cross-entropy as an operation of the CPU.

#include "cpu/backend.h"

#include "cpu/cross_entropy/passes.h"

namespace fovea::cross_entropy {

extern const backend::Kernels kKernels = {
    {cpu::plan_forward, cpu::plan_backward},
    {cpu::run_forward, cpu::run_backward},
    fovea::cpu::prepare,
};

}  // namespace fovea::cross_entropy
