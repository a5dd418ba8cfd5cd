// The scores of a backward tile: S = Q K^T, what softcap, bias and ALiBi make of it, and the slopes of that.
// The rows of Q are scaled as they are loaded.
#pragma once

#include <algorithm>
#include <limits>

#include "cpu/attention/kernels.h"
#include "cpu/attention/rows.h"
#include "cpu/softmax/backward_tile.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class BackwardScores : public AttentionRows {
 public:
  using Op = attention::cpu::Op;

  BackwardScores(const BackwardRun& run, const BackwardWork& work)
      : AttentionRows(spec_of(run.plan), work.sequence, work.batch, work.key_head),
        run_(run),
        layout_(run.scratch_layout) {}

  // What dquery is multiplied by, once all of it is summed.
  static float query_units(const Spec& spec) { return spec.scale; }

  Panel<const float> queries() const { return {run_.scratch + layout_.queries, layout_.query_row}; }

  // A sink is in the sum from the beginning.
  void start_statistics(int64_t row, int rows, float* maximum, double* sums) const {
    if (!spec_.has_sinks) return;
    for_each_row(row, row + rows, [&](int64_t at, int64_t, int64_t head) {
      const double sink = double(run_.operands.sinks[head]) / kLn2;
      maximum[at - row] = float(std::min<double>(sink, std::numeric_limits<float>::max()));
      sums[at - row] = sink == -kInfinity ? 0 : 1;
    });
  }

 protected:
  void load_keys(int64_t j, int count) const {
    with_type(spec_.dtype, [&](auto zero) {
      const auto* key =
          static_cast<const decltype(zero)*>(run_.operands.key) + key_offset(spec_.key_stride, j);
      pack_columns(key, spec_.key_stride[1], count, spec_.head_dim,
                   run_.scratch + layout_.transposed_keys, layout_.key_row);
    });
  }

  void load_queries(int64_t row, int count) const {
    with_type(spec_.dtype, [&](auto zero) {
      load_rows(static_cast<const decltype(zero)*>(run_.operands.query), spec_.query_stride, row,
                count, spec_.head_dim, query_scale(), run_.scratch + layout_.queries,
                layout_.query_row);
    });
  }

  void compute(const Tile& tile, const Span* spans, const Panel<float>& s) const {
    multiply({queries().at, queries().row, 1},
             {run_.scratch + layout_.transposed_keys, layout_.key_row}, tile.rows, tile.keys,
             int(spec_.head_dim), spans, s);
  }

  bool is_plain() const {
    return spec_.softcap == 0 && spec_.bias_dtype == 0 && !spec_.has_alibi_slopes;
  }

  // What bias and ALiBi are to a row and the keys of the tile.
  struct RowModifiers {
    const float* bias;
    vfloat slope, distance;
  };

  RowModifiers row_modifiers(int64_t i, int64_t head, int64_t key, int begin, int end) const {
    RowModifiers all{};
    if (spec_.bias_dtype != 0) {
      float* const bias = run_.scratch + layout_.bias;
      with_type(spec_.bias_dtype, [&](auto zero) {
        load_row(static_cast<const decltype(zero)*>(run_.operands.bias) +
                     score_offset(spec_.bias_stride, i, head) + key + begin,
                 end - begin, kLog2e, bias + begin);
      });
      all.bias = bias;
    }
    if (spec_.has_alibi_slopes) {
      const int64_t at =
          batch_ * spec_.alibi_slopes_stride[0] + head * spec_.alibi_slopes_stride[1];
      all.slope = splat(run_.operands.alibi_slopes[at] * kLog2e);
      all.distance = splat(float(key - (i + shift_))) + floats(lane_numbers());
    }
    return all;
  }

  // Softcap, bias and ALiBi, in this order, on the scores of keys from k on; leaves units of log2, and
  // answers softcap's tanh, 0 without one, and what ALiBi multiplies the slope by.
  vfloat modify(const RowModifiers& of, int k, vfloat x, vfloat& tanh, vfloat& toward) const {
    if (spec_.softcap > 0) {
      tanh = capped(x);
      x = tanh * splat(spec_.softcap * kLog2e);
    }
    if (spec_.bias_dtype != 0) x += load(of.bias + k);
    if (spec_.has_alibi_slopes) {
      toward = alibi_distance(of.distance + splat(float(k)));
      x = fma(of.slope, toward, x);
    }
    return x;
  }

  const BackwardRun& run_;
  const BackwardScratch& layout_;
};

using BackwardTile = fovea::cpu::FOVEA_TIER::BackwardTile<BackwardScores>;

}  // namespace fovea::attention::cpu::FOVEA_TIER
