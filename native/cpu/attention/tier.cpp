// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.

#include "cpu/attention/backward_bias.h"
#include "cpu/attention/backward_gates.h"
#include "cpu/attention/backward_gradients.h"
#include "cpu/attention/forward_item.h"
#include "cpu/attention/kernels.h"
#include "cpu/softmax/backward_rows.h"
#include "cpu/softmax/forward_rows.h"

namespace fovea::attention::cpu::FOVEA_TIER {

void run_forward(const ForwardRun& run, const ForwardWork& work) {
#if defined(FOVEA_TILES)
  [[maybe_unused]] const TileRegisters registers;
#endif
  run_item<ForwardItem>(run, work);
}

void run_backward(const BackwardRun& run, const BackwardWork& work) {
#if defined(FOVEA_TILES)
  [[maybe_unused]] const TileRegisters registers;
#endif
  switch (run.call.phase) {
    case kRowPhase:
      row_item<BackwardScores>(run, work);
      if (spec_of(run.plan).output_gates_dtype != 0) gate_deltas(run, work);
      return;
    case kKeyPhase:
      return BackwardKeys<BackwardGradients>(run, work).run();
    case kQueryPhase:
      query_item<BackwardScores>(run, work);
      if (spec_of(run.plan).has_doutput_gates) write_gate_gradients(run, work);
      return;
    default:
      return bias_item(run, work);
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
