// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.

#include "cpu/projection/backward.h"
#include "cpu/projection/forward.h"

namespace fovea::projection::cpu::FOVEA_TIER {

void run_forward(const ForwardRun& run, int32_t phase, const ForwardWork& work) {
  const ForwardItem item(run, work);
  phase == kProductPhase ? item.multiply_chunks() : item.sum_chunks();
}

void run_backward(const BackwardRun& run, int32_t phase, const BackwardWork& work) {
  const BackwardItem item(run, work);
  phase == kInputPhase ? item.multiply_transposed() : item.multiply_columns();
}

}  // namespace fovea::projection::cpu::FOVEA_TIER
