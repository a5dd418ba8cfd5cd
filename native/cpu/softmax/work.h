// What kernels with a softmax over pairs of queries and keys are given. An operation, `Op`, names its
// types: Spec, ForwardOperands, BackwardOperands, Scratch and Workspace, and says in how many chunks,
// `key_chunks`, the keys of a sequence are.
#pragma once

#include "cpu/softmax/sequences.h"

namespace fovea::cpu {

template <typename Op>
const typename Op::Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const typename Op::Spec*>(plan.spec);
}

// What all items of one call have in common.
template <typename Op>
struct ForwardRun {
  const fovea_plan& plan;
  const fovea_call& call;
  const typename Op::ForwardOperands& operands;
  void* scratch;
  void* workspace;
};

// One item, located in the batch.
struct ForwardWork {
  Sequence sequence;
  int64_t batch, key_head;
  int64_t tile;  // of plan.tile_queries rows
  int64_t item, part;  // of all tiles for all key heads; of its keys, in a phase that has parts
};

template <typename Op>
struct BackwardRun {
  const fovea_plan& plan;
  const fovea_call& call;
  const typename Op::BackwardOperands& operands;
  const typename Op::Scratch& scratch_layout;
  const typename Op::Workspace& workspace_layout;
  float* workspace;
  float* scratch;
};

// One item of a phase of rows or of keys, located in the batch.
struct BackwardWork {
  Sequence sequence;
  int64_t batch, key_head;
  int64_t first_row;   // in the workspace
  int64_t begin, end;  // rows, perhaps beyond the sequence's; kKeyPhase takes all of them
  int64_t chunks;      // of this sequence
  int64_t keys;        // kKeyPhase: which chunk; attention's kBiasPhase: which tile
};

// The kernels of an instruction set tier.
template <typename Op>
using RunForward = void(const ForwardRun<Op>&, const ForwardWork&);
template <typename Op>
using RunBackward = void(const BackwardRun<Op>&, const BackwardWork&);

}  // namespace fovea::cpu
