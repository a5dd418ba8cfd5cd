// Distance attention as an operation of the CPU.

#include "cpu/backend.h"

#include "cpu/distance/passes.h"

namespace fovea::distance {

extern const backend::Kernels kKernels = {
    {cpu::plan_forward, cpu::plan_backward},
    {cpu::run_forward, cpu::run_backward},
    fovea::cpu::prepare,
};

}  // namespace fovea::distance
