// The kernels that each instruction set tier of the CPU has for attention, and what they are given.
#pragma once

#include "cpu/attention/backward_layout.h"
#include "cpu/softmax/work.h"
#include "ops/attention/attention.h"

namespace fovea::attention::cpu {

struct Op {
  using Spec = attention::Spec;
  using ForwardOperands = attention::ForwardOperands;
  using BackwardOperands = attention::BackwardOperands;
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

}  // namespace fovea::attention::cpu
