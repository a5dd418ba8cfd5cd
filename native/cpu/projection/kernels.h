// The kernels that each instruction set tier of the CPU has for projections, and what they are given.
#pragma once

#include "cpu/projection/layout.h"
#include "cpu/tier.h"

namespace fovea::projection::cpu {

// What all items of one call have in common.
struct ForwardRun {
  const fovea_plan& plan;
  const ForwardOperands& operands;
  const ForwardScratch& layout;
  float* workspace;  // null where no chunk is an item
  float* scratch;
};

struct BackwardRun {
  const fovea_plan& plan;
  const BackwardOperands& operands;
  const BackwardScratch& layout;
  float* scratch;
};

// One item: a tile of rows of the projection of a head. kProductPhase has chunks [chunk, end), perhaps
// beyond the length.
struct ForwardWork {
  int64_t batch, head, length;
  int64_t row, rows;
  int64_t chunk, end;
};

// kInputPhase: positions of a head of a sequence; kWeightPhase: of rows of weight, in all sequences, and of
// heads [head, last).
struct BackwardWork {
  int64_t batch, head, last, length;
  int64_t row, rows;
  int64_t position, positions;
};

// Of that phase.
using RunForward = void(const ForwardRun&, int32_t phase, const ForwardWork&);
using RunBackward = void(const BackwardRun&, int32_t phase, const BackwardWork&);

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::projection::cpu
