// The blocks of parameters that kernels are given, from a plan, a call and its operands.
#pragma once

#include "cuda/linear/params.h"
#include "cuda/softmax/make_params.h"

namespace fovea::linear::cuda {

// A sweep of a plan: its states, and how they are cut.
struct PlannedSweep {
  Cut cut;
  int warps;
  ChunkLayout chunk;

  PlannedSweep(const fovea_plan& plan, int32_t phase)
      : cut(spec_of(plan), plan.pass == FOVEA_FORWARD ? Columns::kValues : columns_of(phase)) {
    const Spec& spec = spec_of(plan);
    const SweepKind sweep =
        plan.pass == FOVEA_FORWARD ? SweepKind::kForward : sweep_of(spec, phase);
    const int64_t states = spec.batch * spec.key_heads;
    // Sums of weights belong to no column: warps take turns at the queries.
    warps = sweep == SweepKind::kWeights ? kMostWarps
                                     : cut.warps_of(states == 0 ? 1 : plan.items[phase] / states);
    chunk = ChunkLayout(spec, cut, sweep, warps);
  }

  int threads() const { return 32 * warps; }
};

inline ForwardParams input_params(const fovea_plan& plan, const Inputs& operands,
                                  const fovea_call& call) {
  ForwardParams p = {};
  static_cast<Inputs&>(p) = operands;
  p.spec = spec_of(plan);
  static_cast<SequenceParams&>(p) = sequence_params(plan, p.spec, call);
  const PlannedSweep sweep(plan, call.phase);
  p.chunk = sweep.chunk;
  p.warps = sweep.warps;
  p.has_decay = has_decay(p.spec);
  p.has_delta = has_delta(p.spec);
  return p;
}

inline ForwardParams forward_params(const fovea_plan& plan, const ForwardOperands& operands,
                                    const fovea_call& call) {
  ForwardParams p = input_params(plan, operands, call);
  static_cast<ForwardOperands&>(p) = operands;
  return p;
}

inline BackwardParams backward_params(const fovea_plan& plan, const BackwardOperands& operands,
                                      const fovea_call& call, void* workspace) {
  const Spec& spec = spec_of(plan);
  BackwardParams b = {};
  static_cast<BackwardOperands&>(b) = operands;
  b.forward = input_params(plan, operands, call);
  const Workspace layout = workspace_of(spec);
  float* const base = static_cast<float*>(workspace);
  b.inverses = base + layout.inverses;
  b.shares = base + layout.shares;
  b.errors = base + layout.errors;
  b.steps = base + layout.steps;
  b.corrections = base + layout.corrections;
  b.slopes = base + layout.slopes;
  b.decay_parts = base + layout.decay_parts;
  b.beta_parts = base + layout.beta_parts;
  b.decay_blocks = int32_t(Cut(spec, Columns::kKeys).panels);
  b.beta_blocks = int32_t(Cut(spec, Columns::kValues).panels);
  b.forward.errors = b.errors;
  b.forward.errors_only = true;
  return b;
}

// Of the phase that sums ddecay or dbeta.
inline SumParams sum_params(const BackwardParams& b, int32_t phase) {
  const Spec& spec = b.forward.spec;
  const bool decay = phase == kDecayPhase;
  const Summing summing = decay ? decay_summing(spec) : beta_summing(spec);
  SumParams s = {};
  s.forward = b.forward;
  s.parts = decay ? b.decay_parts : b.beta_parts;
  s.to = decay ? b.ddecay : b.dbeta;
  std::copy_n(decay ? spec.ddecay_stride : spec.dbeta_stride, 3, s.stride);
  s.blocks = decay ? b.decay_blocks : b.beta_blocks;
  s.one_row = summing.shared.rows;
  s.all_sequences = summing.shared.sequences;
  s.results = int32_t(summing.results);
  s.tiles = int32_t(summing.tiles);
  return s;
}

}  // namespace fovea::linear::cuda
