// The items of the forward pass: which part of the batch each is.

#include "cpu/attention/passes.h"
#include "cpu/attention/kernels.h"
#include "cpu/attention/row_tiles.h"

namespace fovea::attention::cpu {

int32_t run_forward(const backend::Run& given, fovea_call& call) {
  const fovea_plan& plan = given.plan;
  const Spec& spec = spec_of(plan);
  const auto& operands = *static_cast<const ForwardOperands*>(given.operands);
  RunForward* const kernel = kernels_of(plan.isa).forward;
  if (int32_t status = check_offsets(plan, operands, call)) return status;
  const ForwardRun run = {plan, call, operands, given.scratch};
  const RowTiles tiles(spec, plan.tile_queries);
  for (int64_t item = call.begin; item < call.end; ++item) {
    const RowTile tile = tiles.find(item / spec.key_heads, operands.cu_seqlens_q);
    ForwardWork work;
    // The tiles that see most keys first, so that the last worker ends on a short one.
    work.tile = spec.causal ? tile.count - 1 - tile.index : tile.index;
    work.batch = tile.sequence;
    work.key_head = item % spec.key_heads;
    if (int32_t status = locate(spec, operands, work.batch, work.sequence, call)) return status;
    kernel(run, work);
  }
  return FOVEA_OK;
}

}  // namespace fovea::attention::cpu
