// Channel attention as an operation of the CPU.

#include "cpu/backend.h"

#include "cpu/channel/passes.h"
#include "cpu/image/kernels.h"

namespace fovea::channel::cpu {

FOVEA_IMAGE_PASSES

}  // namespace fovea::channel::cpu

namespace fovea::channel {

extern const backend::Kernels kKernels = {
    {cpu::plan_forward, cpu::plan_backward},
    {cpu::run_forward, cpu::run_backward},
    fovea::cpu::prepare,
};

}  // namespace fovea::channel
