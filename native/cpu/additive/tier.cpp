// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.

#include "cpu/additive/backward_scores.h"
#include "cpu/additive/kernels.h"
#include "cpu/softmax/backward_rows.h"
#include "cpu/softmax/forward_pairs.h"
#include "cpu/softmax/forward_rows.h"

namespace fovea::additive::cpu::FOVEA_TIER {

void run_forward(const ForwardRun& run, const ForwardWork& work) {
  run_item<ForwardPairs<Scores>>(run, work);
}

void run_backward(const BackwardRun& run, const BackwardWork& work) {
  switch (run.call.phase) {
    case fovea::cpu::kRowPhase:
      return row_item<BackwardScores>(run, work);
    case fovea::cpu::kKeyPhase:
      return BackwardKeys<BackwardGradients>(run, work).run();
    default:
      return query_item<BackwardScores>(run, work);
  }
}

}  // namespace fovea::additive::cpu::FOVEA_TIER
