// What gates of the output change in the phases of rows: delta, and their own gradient.
#pragma once

#include "cpu/attention/gates.h"
#include "cpu/attention/kernels.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// Rows of dout, of out before gates and of gates. Behind their last columns they are zero.
class GatedRows {
 public:
  GatedRows(const BackwardRun& run, const BackwardWork& work)
      : run_(run),
        spec_(spec_of(run.plan)),
        rows_(spec_, work.sequence, work.batch, work.key_head),
        products_(run.scratch + run.scratch_layout.douts),
        outs_(products_ + run.scratch_layout.value_row),
        gates_(run.scratch + run.scratch_layout.output_gates) {}

  const AttentionRows& rows() const { return rows_; }

  // Whether a row of the sequence sees a key.
  bool is_live(int64_t row) const { return run_.operands.lse[rows_.lse_offset(row)] != -kInfinity; }

  // Of a row: the sum of its products times what `of` makes of its gates, and with `each` these themselves.
  template <typename Of>
  float sum(int64_t row, Of of, float* each) const {
    const int64_t i = rows_.query(row), head = rows_.head(row), columns = spec_.value_head_dim;
    with_type(spec_.out_dtype, [&](auto zero) {
      const auto load = [&](const void* from, const int64_t (&stride)[3], float* to) {
        load_row(static_cast<const decltype(zero)*>(from) + rows_.query_offset(stride, i, head),
                 columns, 1.0f, to);
      };
      load(run_.operands.dout, spec_.dout_stride, products_);
      load(run_.operands.out, spec_.out_stride, outs_);
    });
    const int64_t count = load_output_gates(rows_, run_.operands, i, head, columns, gates_);
    vfloat total{};
    for (int64_t d = 0; d < columns; d += kLanes) {
      const vfloat logit = count == 1 ? splat(gates_[0]) : load(gates_ + d);
      const vfloat term = load(products_ + d) * load(outs_ + d) * of(logit);
      total += term;
      if (each != nullptr) store(products_ + d, term);
    }
    if (each != nullptr) std::copy_n(products_, columns, each);
    float all = 0;
    for (int lane = 0; lane < kLanes; ++lane) all += total[lane];
    return all;
  }

 private:
  const BackwardRun& run_;
  const Spec& spec_;
  const AttentionRows rows_;
  float *const products_, *const outs_, *const gates_;
};

// delta = <dout sigmoid(gate), out before gates>, for rows that see a key.
inline void gate_deltas(const BackwardRun& run, const BackwardWork& work) {
  const GatedRows gated(run, work);
  float* const delta = run.workspace + run.workspace_layout.delta + work.first_row;
  for (int64_t row = work.begin; row < work.end; ++row) {
    if (gated.is_live(row)) delta[row] = gated.sum(row, sigmoid, nullptr);
  }
}

// Of the rows of kQueryPhase, padding included.
inline void write_gate_gradients(const BackwardRun& run, const BackwardWork& work) {
  const Spec& spec = spec_of(run.plan);
  const GatedRows gated(run, work);
  const int64_t(&stride)[4] = spec.doutput_gates_stride;
  const bool by_head = gates_heads(stride);
  const int64_t length = work.sequence.query_length * gated.rows().group();
  for (int64_t row = work.begin; row < work.end; ++row) {
    float* const to = run.operands.doutput_gates +
                      gated.rows().query_offset({stride[0], stride[1], stride[2]}, row);
    if (row >= length || !gated.is_live(row)) {
      std::fill_n(to, by_head ? 1 : spec.value_head_dim, 0.0f);
      continue;
    }
    const float sum = gated.sum(row, sigmoid_slope, by_head ? nullptr : to);
    if (by_head) *to = sum;
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
