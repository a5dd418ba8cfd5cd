// How the work of an append is cut for the CPU, and where its rows lie: for planner, checks and kernels alike.
#pragma once

#include "core/backend.h"
#include "ops/append/append.h"

namespace fovea::append::cpu {

// All is checked before anything is written.
enum Phase { kCheckPhase, kStorePhase, kPhases };

// Of rotated rows that a worker holds between its two looks at them, of 576 columns at most.
constexpr int64_t kHeldElements = 16384;

// New rows of a sequence: how many are in the cache before, where they begin in key and value, how many there are.
struct Sequence {
  int64_t start, origin, rows;
};
Sequence sequence_of(const Spec& spec, const ForwardOperands& operands, int64_t batch);

// One item: new rows [first, end) of heads [head, head_end) of a sequence. With pages whose rows share a scale, all of
// a page is in one tile; without, all of a sequence.
struct Tile {
  int64_t batch;
  Sequence sequence;
  int64_t first, end, head, head_end;
};
Tile tile_of(const fovea_plan& plan, const ForwardOperands& operands, int64_t item);

// The row of the tables that new row `row` is at.
inline int64_t position_of(const Spec& spec, const Inputs& inputs, int64_t batch, const Sequence& sequence,
                           int64_t row) {
  if (!spec.has_positions) return sequence.start + row;
  return inputs.positions[batch * spec.positions_stride[0] + sequence.origin + row];
}

// Pick tiles; the spec is resolved.
int32_t plan_append(const fovea_device_info& device, fovea_plan& plan);

// Run one or more items.
int32_t run_append(const backend::Run& run, fovea_call& call);

}  // namespace fovea::append::cpu
