// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.

#include "cpu/distance/backward_fits.h"
#include "cpu/distance/forward_scores.h"
#include "cpu/distance/kernels.h"
#include "cpu/softmax/backward_rows.h"
#include "cpu/softmax/forward_pairs.h"
#include "cpu/softmax/forward_rows.h"

namespace fovea::distance::cpu::FOVEA_TIER {

void run_forward(const ForwardRun& run, const ForwardWork& work) {
  run_item<ForwardPairs<ForwardScores>>(run, work);
}

void run_backward(const BackwardRun& run, const BackwardWork& work) {
  switch (run.call.phase) {
    case fovea::cpu::kRowPhase:
      if (is_linear(spec_of(run.plan))) return fit_item(run, work);
      return row_item<BackwardScores>(run, work);
    case fovea::cpu::kKeyPhase:
      return BackwardKeys<BackwardGradients>(run, work).run();
    default:
      return query_item<BackwardScores>(run, work);
  }
}

}  // namespace fovea::distance::cpu::FOVEA_TIER
