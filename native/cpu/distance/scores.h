// The rows and keys of a tile, and their scores.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "core/constants.h"
#include "cpu/distance/differences.h"
#include "cpu/distance/kernels.h"
#include "cpu/softmax/pair_rows.h"

namespace fovea::distance::cpu::FOVEA_TIER {

// 1 / bandwidth^2, within float32; NaN where there is none.
inline double inverse_square(float bandwidth) {
  const double square = double(bandwidth) * double(bandwidth);
  return square > 0 ? std::min(1 / square, double(FLT_MAX)) : double(NAN);
}

class Scores : public PairRows<Spec> {
 public:
  using Op = distance::cpu::Op;

  Scores(const fovea_plan& plan, const Inputs& inputs, const fovea::cpu::Sequence& sequence,
         int64_t batch, int64_t key_head, float* scratch)
      : PairRows(spec_of(plan), sequence, batch, key_head),
        inputs_(inputs),
        score_layout_(plan),
        memory_(scratch) {}

  Panel<const float> queries() const {
    return {memory_ + score_layout_.queries, score_layout_.query_row};
  }
  // 1 / bandwidth^2 of a row's head.
  double inverse_square_of(int r) const { return inverse_[r]; }

 protected:
  void load_queries(int64_t row, int count) {
    row_begin_ = row;
    with_type(spec_.dtype, [&](auto zero) {
      load_rows(static_cast<const decltype(zero)*>(inputs_.query), spec_.query_stride, row, count,
                spec_.head_dim, 1.0f, memory_ + score_layout_.queries, score_layout_.query_row);
    });
    for_each_row(row, row + count, [&](int64_t at, int64_t, int64_t head) {
      const double inverse = inverse_square(inputs_.bandwidth[head]);
      inverse_[at - row] = inverse;
      scale_[at - row] = float(inverse * (-0.5 / kLn2));
    });
  }

  void load_keys(int64_t j, int count) {
    key_begin_ = j;
    with_type(spec_.dtype, [&](auto zero) {
      pack_columns(
          static_cast<const decltype(zero)*>(inputs_.key) + key_offset(spec_.key_stride, j),
          spec_.key_stride[1], count, spec_.head_dim, memory_ + score_layout_.transposed_keys,
          score_layout_.key_row);
    });
  }

  // Of the rows that were taken, and of the keys that each sees.
  void compute(int rows, int keys, const Panel<float>& s) {
    Span spans[(fovea::cpu::kMostTileRows + kBlockRows - 1) / kBlockRows];
    for_each_row(row_begin_, row_begin_ + rows, [&](int64_t row, int64_t i, int64_t) {
      // Both ends of a span rise with the row.
      const Span seen = seen_within(i, 0, keys);
      const int r = int(row - row_begin_);
      Span& span = spans[r / kBlockRows];
      span = {r % kBlockRows == 0 ? seen.begin : span.begin, seen.end};
    });
    compute(rows, keys, spans, s);
  }
  void compute(int rows, int keys, const Span* spans, const Panel<float>& s) {
    scale_distances(queries(), columns(), rows, keys, int(spec_.head_dim), scale_, spans, s);
  }

  // Elements of the tile's keys.
  Panel<const float> columns() const {
    return {memory_ + score_layout_.transposed_keys, score_layout_.key_row};
  }

 private:
  const Inputs& inputs_;
  const ScoreScratch score_layout_;
  float* const memory_;
  // By row: 1 / bandwidth^2, and what makes a score, in units of log2, of a squared distance.
  double inverse_[fovea::cpu::kMostTileRows];
  float scale_[fovea::cpu::kMostTileRows];
};

}  // namespace fovea::distance::cpu::FOVEA_TIER
