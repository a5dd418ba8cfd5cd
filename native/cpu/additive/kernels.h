// The kernels that each instruction set tier of the CPU has for additive attention, and what they are given.
#pragma once

#include "cpu/additive/layout.h"
#include "cpu/softmax/work.h"

namespace fovea::additive::cpu {

struct Op {
  using Spec = additive::Spec;
  using ForwardOperands = additive::ForwardOperands;
  using BackwardOperands = additive::BackwardOperands;
  using ForwardScratch = cpu::ForwardScratch;
  static constexpr int kMostKeys = cpu::kMostKeys;
  using Scratch = BackwardScratch;
  using Workspace = BackwardWorkspace;
  static int64_t key_chunks(int64_t length) { return cpu::key_chunks(length); }
};
using ForwardRun = fovea::cpu::ForwardRun<Op>;
using BackwardRun = fovea::cpu::BackwardRun<Op>;
using fovea::cpu::BackwardWork, fovea::cpu::ForwardWork;

using RunForward = fovea::cpu::RunForward<Op>;
using RunBackward = fovea::cpu::RunBackward<Op>;

struct Kernels {
  RunForward* forward;
  RunBackward* backward;
};

// Those of a tier that runs here.
Kernels kernels_of(int isa);

}  // namespace fovea::additive::cpu
