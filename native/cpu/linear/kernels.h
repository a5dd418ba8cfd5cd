// The kernels that each instruction set tier of the CPU has for linear attention, and what they are given.
#pragma once

#include "cpu/linear/layout.h"
#include "cpu/softmax/sequences.h"
#include "cpu/tier.h"

namespace fovea::linear::cpu {

// One item, located in the batch: columns of the state of one key head, in blocks of kBlock.
struct Work {
  fovea::cpu::Sequence sequence;
  int64_t batch, key_head;
  int64_t begin, end;
};

// What all items of one call have in common.
struct ForwardRun {
  const fovea_plan& plan;
  const ForwardOperands& operands;
  float* scratch;
};

struct BackwardRun {
  const fovea_plan& plan;
  const BackwardOperands& operands;
  const Workspace& layout;
  float* workspace;
  float* scratch;
};

using RunForward = void(const ForwardRun&, const Work&);
// Of that phase.
using RunBackward = void(const BackwardRun&, int32_t phase, const Work&);

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::linear::cpu
