// Spatial attention as an operation of the CPU.

#include "cpu/backend.h"

#include "cpu/spatial/passes.h"
#include "cpu/image/kernels.h"

namespace fovea::spatial::cpu {

FOVEA_IMAGE_PASSES

}  // namespace fovea::spatial::cpu

namespace fovea::spatial {

extern const backend::Kernels kKernels = {
    {cpu::plan_forward, cpu::plan_backward},
    {cpu::run_forward, cpu::run_backward},
    fovea::cpu::prepare,
};

}  // namespace fovea::spatial
