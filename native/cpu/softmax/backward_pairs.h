// The scores of a backward tile of an operation that makes them of pairs of a row and a key, and nothing else.
#pragma once

#include "cpu/softmax/backward_keys.h"

namespace fovea::cpu::FOVEA_TIER {

// What BackwardTile asks for beside what `Scores`, by PairRows, computes.
template <typename Scores>
class BackwardPairs : public Scores {
  using Run = BackwardRun<typename Scores::Op>;

 public:
  BackwardPairs(const Run& run, const BackwardWork& work)
      : Scores(run.plan, run.operands, work.sequence, work.batch, work.key_head, run.scratch),
        run_(run),
        layout_(run.scratch_layout) {}

  static constexpr int kRowSums = 0;

  // What dquery is multiplied by, once all of it is summed.
  static float query_units(const typename Scores::Op::Spec&) { return 1.0f; }
  // What joins that sum.
  static void finish_query(const Run&, int64_t, float*) {}

  // Nothing joins a row's sum beside its keys.
  void start_statistics(int64_t, int, float*, double*) const {}

 protected:
  // Nothing is done to scores but what makes them weights, nor to weights.
  struct RowModifiers {};
  static bool is_plain(const Tile&) { return true; }
  static RowModifiers row_modifiers(int64_t, int64_t, int64_t, int, int, float*) { return {}; }
  static vfloat modify(RowModifiers, int, vfloat x, vfloat&, vfloat*) { return x; }
  static void refit(int, int, Span, vfloat, vfloat, vfloat&, vfloat&) {}
  static vfloat slope(RowModifiers, int) { return splat(1.0f); }
  static void gather(RowModifiers, int64_t, int, vfloat, vfloat) {}
  static void gate_douts(int64_t, int, const Panel<float>&) {}
  static const float* key_gates(int64_t) { return nullptr; }
  static void gather_gated(int64_t, int64_t, vfloat) {}

  const Run& run_;
  const typename Scores::Op::Scratch& layout_;
};

}  // namespace fovea::cpu::FOVEA_TIER
