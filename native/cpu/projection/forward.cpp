// The items of the forward pass: which part of the batch each is.

#include "cpu/projection/kernels.h"
#include "cpu/projection/passes.h"
#include "cpu/softmax/sequences.h"

namespace fovea::projection::cpu {

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  const fovea_plan& plan = run.plan;
  const Spec& spec = spec_of(plan);
  const auto& operands = *static_cast<const ForwardOperands*>(run.operands);
  const ForwardScratch layout(plan);
  const bool split = plan.items[kSumPhase] > 0;
  const ForwardRun given = {plan, operands, layout,
                            split ? static_cast<float*>(run.workspace) : nullptr,
                            static_cast<float*>(run.scratch)};
  const int64_t tiles = (spec.rank + plan.tile_queries - 1) / plan.tile_queries;
  const int64_t parts = split && call.phase == kProductPhase ? chunks_of(spec.length) : 1;
  for (int64_t item = call.begin; item < call.end; ++item) {
    const int64_t head = item / parts / tiles, part = item % parts;
    ForwardWork work;
    work.batch = head / spec.heads;
    work.head = head % spec.heads;
    if (int32_t status = fovea::cpu::find_length("lengths", operands.lengths, work.batch,
                                                 spec.length, work.length, call)) {
      return status;
    }
    work.row = item / parts % tiles * plan.tile_queries;
    work.rows = std::min<int64_t>(plan.tile_queries, spec.rank - work.row);
    work.chunk = part;
    work.end = chunks_of(work.length);
    if (parts > 1 && part >= work.end) continue;
    kernels_of(plan.isa).forward(given, call.phase, work);
  }
  return FOVEA_OK;
}

}  // namespace fovea::projection::cpu
