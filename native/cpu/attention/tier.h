// The kernels of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER.
#pragma once

#include "cpu/attention/backward_item.h"
#include "cpu/attention/forward_item.h"
#include "cpu/attention/kernels.h"

namespace fovea::attention::cpu::FOVEA_TIER {

template <typename T>
void run_forward_item(const ForwardRun& run, const ForwardWork& work) {
  const Spec& spec = spec_of(run.plan);
  const int64_t group = spec.query_heads / spec.key_heads;
  const int64_t length = work.sequence.query_length * group;
  const int64_t begin = work.tile * run.plan.tile_queries;
  // Packed sequences have no padding rows; in the others padding is written, never left as it was.
  const int64_t all = (spec.packed ? work.sequence.query_length : spec.query_length) * group;
  const int64_t end = std::min(begin + run.plan.tile_queries, all);
  ForwardItem<T> item(run.plan, run.call, run.operands, work.sequence, work.batch, work.key_head,
                      run.scratch);
  if (begin < std::min(end, length)) item.run(begin, std::min(end, length));
  if (std::max(begin, length) < end) item.pad(std::max(begin, length), end);
}

void run_forward(const ForwardRun& run, const ForwardWork& work) {
  with_type(spec_of(run.plan).dtype,
            [&](auto zero) { run_forward_item<decltype(zero)>(run, work); });
}

void run_backward(const BackwardRun& run, const BackwardWork& work) {
  switch (run.call.phase) {
    case kRowPhase:
      return row_item(run, work);
    case kKeyPhase:
      return BackwardKeys(run, work).run();
    case kQueryPhase:
      return query_item(run, work);
    default:
      return bias_item(run, work);
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
