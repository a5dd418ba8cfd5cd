// The items of a phase: which columns of which state each is.
#pragma once

#include "core/backend.h"
#include "cpu/linear/kernels.h"

namespace fovea::linear::cpu {

// Calls body(work) for items [call.begin, call.end) of a phase that has as many for each state; `columns`
// are those of a state.
template <typename Body>
int32_t for_each_item(const fovea_plan& plan, const fovea::cpu::Sequences& sequences,
                      int64_t columns, fovea_call& call, Body body) {
  const Spec& spec = spec_of(plan);
  const int64_t states = spec.batch * spec.key_heads;
  if (states == 0) return FOVEA_OK;
  if (int32_t status = sequences.check_offsets(plan, call)) return status;
  const int64_t parts = plan.items[call.phase] / states, blocks = blocks_of(columns);
  for (int64_t item = call.begin; item < call.end; ++item) {
    const int64_t state = item / parts, part = item % parts;
    Work work;
    work.batch = state / spec.key_heads;
    work.key_head = state % spec.key_heads;
    work.begin = blocks * part / parts * kBlock;
    work.end = std::min(columns, blocks * (part + 1) / parts * kBlock);
    if (int32_t status = sequences.locate(work.batch, work.sequence, call)) return status;
    body(work);
  }
  return FOVEA_OK;
}

}  // namespace fovea::linear::cpu
