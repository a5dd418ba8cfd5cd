// The items of a pass: which part of the batch each is.
#pragma once

#include <algorithm>

#include "core/backend.h"
#include "cpu/softmax/backward_layout.h"
#include "cpu/softmax/row_tiles.h"
#include "cpu/softmax/work.h"

namespace fovea::cpu {

// Items [call.begin, call.end) of a forward pass: each a tile of rows against all the keys they see, or one of
// `parts` of these. `check` says what else a sequence must fulfil.
template <typename Op, typename Check>
int32_t run_row_tiles(const backend::Run& given, fovea_call& call, RunForward<Op>* kernel, int64_t parts,
                      Check check) {
  const fovea_plan& plan = given.plan;
  const typename Op::Spec& spec = spec_of<Op>(plan);
  const auto& operands = *static_cast<const typename Op::ForwardOperands*>(given.operands);
  const Sequences sequences(spec, operands);
  if (int32_t status = sequences.check_offsets(plan, call)) return status;
  const ForwardRun<Op> run = {plan, call, operands, given.scratch, given.workspace};
  const RowTiles tiles(spec, plan.tile_queries);
  for (int64_t number = call.begin; number < call.end; ++number) {
    const int64_t item = number / parts;
    const RowTile tile = tiles.find(item / spec.key_heads, operands.cu_seqlens_q);
    ForwardWork work;
    work.item = item;
    work.part = number % parts;
    // The tiles that see most keys first, so that the last worker ends on a short one.
    work.tile = spec.causal ? tile.count - 1 - tile.index : tile.index;
    work.batch = tile.sequence;
    work.key_head = item % spec.key_heads;
    if (int32_t status = sequences.locate(work.batch, work.sequence, call)) return status;
    if (int32_t status = check(work)) return status;
    kernel(run, work);
  }
  return FOVEA_OK;
}
template <typename Op>
int32_t run_row_tiles(const backend::Run& run, fovea_call& call, RunForward<Op>* kernel) {
  return run_row_tiles<Op>(run, call, kernel, 1, [](const ForwardWork&) { return FOVEA_OK; });
}

// Those of a backward pass, in its phases of rows and keys.
template <typename Op>
class BackwardItems {
 public:
  BackwardItems(const backend::Run& given, fovea_call& call, RunBackward<Op>* kernel)
      : plan_(given.plan),
        spec_(spec_of<Op>(plan_)),
        operands_(*static_cast<const typename Op::BackwardOperands*>(given.operands)),
        call_(call),
        kernel_(kernel),
        group_(spec_.query_heads / spec_.key_heads),
        sequences_(spec_, operands_),
        scratch_layout_(plan_),
        workspace_layout_(plan_),
        workspace_(static_cast<float*>(given.workspace)),
        run_{plan_,
             call_,
             operands_,
             scratch_layout_,
             workspace_layout_,
             workspace_,
             static_cast<float*>(given.scratch)} {}

 protected:
  // Calls body(item) for the items of the call.
  template <typename Body>
  int32_t for_each_item(Body body) {
    if (spec_.batch > 0 && (spec_.query_length > 0 || spec_.key_length > 0)) {
      if (int32_t status = sequences_.check_offsets(plan_, call_)) return status;
    }
    for (int64_t item = call_.begin; item < call_.end; ++item) {
      if (int32_t status = body(item)) return status;
    }
    return FOVEA_OK;
  }

  int32_t run_rows_or_keys(int64_t item) {
    const int64_t head = item % spec_.key_heads, number = item / spec_.key_heads;
    BackwardWork work;
    if (call_.phase == kKeyPhase) {
      if (int32_t status = locate(number % spec_.batch, head, work)) return status;
      work.keys = number / spec_.batch;
    } else {
      const RowTile tile = RowTiles(spec_, kRowTile).find(number, operands_.cu_seqlens_q);
      if (int32_t status = locate(tile.sequence, head, work)) return status;
      // Padding has a dquery, and no more.
      const bool padded = call_.phase == kQueryPhase && !spec_.packed;
      const int64_t length = padded ? spec_.query_length : work.sequence.query_length;
      work.begin = tile.index * kRowTile;
      work.end = std::min(work.begin + kRowTile, length * group_);
    }
    kernel_(run_, work);
    return FOVEA_OK;
  }

  int32_t locate(int64_t batch, int64_t key_head, BackwardWork& work) {
    work = {};
    if (int32_t status = sequences_.locate(batch, work.sequence, call_)) return status;
    work.batch = batch;
    work.key_head = key_head;
    work.first_row = workspace_layout_.first_row(spec_, work.sequence, batch, key_head);
    work.chunks = Op::key_chunks(work.sequence.key_length);
    return FOVEA_OK;
  }

  const fovea_plan& plan_;
  const typename Op::Spec& spec_;
  const typename Op::BackwardOperands& operands_;
  fovea_call& call_;
  RunBackward<Op>* const kernel_;
  const int64_t group_;
  const Sequences sequences_;
  const typename Op::Scratch scratch_layout_;
  const typename Op::Workspace workspace_layout_;
  float* const workspace_;
  const BackwardRun<Op> run_;
};

}  // namespace fovea::cpu
