// The kernels that each instruction set tier of the CPU has, and what they are given.
#pragma once

#include "cpu/attention/backward_layout.h"
#include "cpu/attention/sequences.h"

namespace fovea::attention::cpu {

// What all items of one call have in common.
struct ForwardRun {
  const fovea_plan& plan;
  const fovea_call& call;
  const ForwardOperands& operands;
  void* scratch;
};

// One item, located in the batch.
struct ForwardWork {
  Sequence sequence;
  int64_t batch, key_head;
  int64_t tile;  // of plan.tile_queries rows
};

struct BackwardRun {
  const fovea_plan& plan;
  const fovea_call& call;
  const BackwardOperands& operands;
  const BackwardScratch& scratch_layout;
  const BackwardWorkspace& workspace_layout;
  float* workspace;
  float* scratch;
};

// One item of any phase but the last, located in the batch.
struct BackwardWork {
  Sequence sequence;
  int64_t batch, key_head;
  int64_t first_row;   // in the workspace
  int64_t begin, end;  // rows, perhaps beyond the sequence's; kKeyPhase takes all of them
  int64_t chunks;      // of this sequence
  int64_t keys;        // kKeyPhase: which chunk; kBiasPhase: which tile
};

using RunForward = void(const ForwardRun&, const ForwardWork&);
using RunBackward = void(const BackwardRun&, const BackwardWork&);

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::attention::cpu
