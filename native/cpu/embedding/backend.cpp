// Embedding lookup as an operation of the CPU.

#include "cpu/backend.h"

#include "cpu/embedding/passes.h"

namespace fovea::embedding {

extern const backend::Kernels kKernels = {
    {cpu::plan_forward, cpu::plan_backward},
    {cpu::run_forward, cpu::run_backward},
    fovea::cpu::prepare,
};

}  // namespace fovea::embedding
