// What a forward pass writes of the rows of an item: out, lse and weights.
#pragma once

#include <cmath>

#include "cpu/attention/forward_sums.h"
#include "cpu/attention/gates.h"
#include "cpu/softmax/top_weights.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class ForwardResults : public ForwardSums {
 public:
  ForwardResults(const ForwardRun& run, const ForwardWork& work)
      : ForwardSums(run, work), operands_(run.operands) {}

 protected:
  // Divides by the sum, adds the sink to it, and writes out and lse. Leaves in m and l what turns a
  // score into a weight: exp2(s - m) * l.
  template <int kVectors>
  void finish(int panel) {
    constexpr int kWidth = kVectors * kLanes;
    const int lanes = panel_end(panel) - panel * kMaxWidth;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    float* scale = alpha();
    const float kept = dropout_scale(dropout_threshold(spec_.dropout));
    for (int lane = 0; lane < kWidth; ++lane) {
      const int64_t row = first + std::min(lane, lanes - 1);
      double base = m(panel)[lane];
      float sum = l(panel)[lane], rescale = kept;
      if (spec_.has_sinks) {  // in double: a sink may be infinite in units of log2
        const double sink = operands_.sinks[head(row)] / kLn2;
        const double highest = std::max(base, sink);
        if (highest > -kInfinity) {
          const float decay = float(std::exp2(base - highest));
          sum = sum * decay + float(std::exp2(sink - highest));
          rescale *= decay;
          base = highest;
        }
      }
      const float inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
      scale[lane] = inverse * rescale;
      if (spec_.has_lse && lane < lanes) {
        operands_.lse[lse_offset(row)] =
            sum == 0.0f ? -kInfinity : float((base + std::log2(double(sum))) * kLn2);
      }
      m(panel)[lane] = base == -kInfinity ? 0.0f : float(base);
      l(panel)[lane] = inverse;
    }
    float* o = outputs(panel);
    for (int64_t d = 0; d < spec_.value_head_dim; ++d) {
      for (int v = 0; v < kVectors; ++v) {
        float* at = o + d * kWidth + v * kLanes;
        store(at, load(at) * load(scale + v * kLanes));
      }
    }
    if (spec_.has_ungated) write_out<kWidth>(operands_.ungated, spec_.ungated_stride, first, lanes, o);
    if (spec_.output_gates_dtype != 0) gate_outputs<kWidth>(first, lanes, o);
    write_out<kWidth>(operands_.out, spec_.out_stride, first, lanes, o);
  }

  // A row at a time: next to its keys it is little. The scores are no longer needed.
  template <int kWidth>
  void gate_outputs(int64_t first, int lanes, float* o) {
    float* const gates = scores_of_tile();
    static_assert(kWidth >= 8);  // times 64 keys: 512 columns
    for_each_row(first, first + lanes, [&](int64_t row, int64_t i, int64_t head) {
      const int64_t columns = spec_.value_head_dim;
      const int64_t count = load_output_gates(*this, operands_, i, head, columns, gates);
      apply_sigmoid(count, gates);
      float* const at = o + (row - first);
      for (int64_t d = 0; d < columns; ++d) at[d * kWidth] *= gates[count == 1 ? 0 : d];
    });
  }

  template <int kWidth>
  void write_out(void* to, const int64_t (&stride)[3], int64_t first, int lanes, const float* o) {
    with_type(spec_.out_dtype, [&](auto zero) {
      write_out<kWidth>(static_cast<decltype(zero)*>(to), stride, first, lanes, o);
    });
  }

  template <int kWidth, typename Out>
  void write_out(Out* to, const int64_t (&stride)[3], int64_t first, int lanes, const float* o) {
    for (int lane = 0; lane < lanes; lane += 8) {
      Out* rows[8] = {};
      const int count = std::min(8, lanes - lane);
      for (int r = 0; r < count; ++r) {
        const int64_t row = first + lane + r;
        rows[r] = to + query_offset(stride, row);
      }
      unpack_rows8(o + lane, kWidth, spec_.value_head_dim, rows, count);
    }
  }

  // ---- attention weights ------------------------------------------------------------------------

  float* weights_row(int64_t row) const {
    return operands_.weights + score_offset(spec_.weights_stride, row);
  }

  TopWeights top_of(int64_t row) const { return {*this, operands_, query(row), head(row)}; }

  void clear_weights() const {
    for (int64_t row = row_begin_; row < row_begin_ + rows_; ++row) {
      if (spec_.has_weights) std::fill_n(weights_row(row), spec_.key_length, 0.0f);
      if (spec_.has_top_weights) top_of(row).clear();
    }
  }

  // Of the scores of keys [begin, end) of the tile that begins at key j, once the rows are finished.
  template <int kVectors>
  void write_tile_weights(int panel, int64_t j, int begin, int end) const {
    constexpr int kWidth = kVectors * kLanes;
    float* s = scores_of_tile();
    for (int k = begin; k < end; ++k) {
      for (int v = 0; v < kVectors; ++v) {
        float* at = s + k * kWidth + v * kLanes;
        store(at, exp2(load(at) - load(m(panel) + v * kLanes)) * load(l(panel) + v * kLanes));
      }
    }
    const int lanes = panel_end(panel) - panel * kMaxWidth;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    if (spec_.has_top_weights) list_top<kWidth>(first, lanes, j, begin, end, s);
    if (!spec_.has_weights) return;
    for (int lane = 0; lane < lanes; lane += 8) {
      float* rows[8] = {};
      const int filled = std::min(8, lanes - lane);
      for (int r = 0; r < filled; ++r) rows[r] = weights_row(first + lane + r) + j + begin;
      unpack_rows8(s + begin * kWidth + lane, kWidth, end - begin, rows, filled);
    }
  }

  // Few weights are among the largest so far: vectors of rows of which none is are passed over.
  template <int kWidth>
  void list_top(int64_t first, int lanes, int64_t j, int begin, int end, const float* s) const {
    alignas(64) float least[kWidth];
    std::fill_n(least, kWidth, kInfinity);
    for (int lane = 0; lane < lanes; ++lane) least[lane] = top_of(first + lane).least();
    for (int k = begin; k < end; ++k) {
      for (int v = 0; v < kWidth; v += kLanes) {
        const vfloat weights = load(s + k * kWidth + v);
        if (!any(~(weights <= load(least + v)))) continue;
        for (int lane = v; lane < std::min(v + kLanes, lanes); ++lane) {
          if (weights[lane - v] <= least[lane]) continue;
          const TopWeights top = top_of(first + lane);
          top.add(weights[lane - v], j + k);
          least[lane] = top.least();
        }
      }
    }
  }

  const ForwardOperands& operands_;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
