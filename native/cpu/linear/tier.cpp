// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.

#include "cpu/linear/backward_keys.h"
#include "cpu/linear/backward_values.h"
#include "cpu/linear/forward_item.h"

namespace fovea::linear::cpu::FOVEA_TIER {

void run_forward(const ForwardRun& run, const Work& work) { ForwardItem(run, work).run(); }

void run_backward(const BackwardRun& run, int32_t phase, const Work& work) {
  switch (phase) {
    case kStartPhase:
      return StartItem(run, work).run();
    case kValuePhase:
      return ValueItem(run, work).run();
    case kQueryPhase:
      return QueryItem(run, work).run();
    default:
      return KeyItem(run, work).run();
  }
}

}  // namespace fovea::linear::cpu::FOVEA_TIER
