// What becomes of a score between the product and the softmax: softcap, bias and ALiBi, in this order; the
// scale is in the queries. Written for both ways that scores lie: rows in the SIMD lanes, as in the
// forward, and keys in them, as in the backward. Scores come out in units of log2.
#pragma once

#include "cpu/attention/rows.h"
#include "cpu/pack.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class ScoreModifier {
 public:
  ScoreModifier(const AttentionRows& rows, const Inputs& operands)
      : rows_(rows), spec_(rows.spec()), operands_(operands) {}

  bool is_active() const { return modifies_scores(spec_); }

  // What a query is multiplied by before its scores. Softcap bounds the score in natural units;
  // without it the units of log2 come for free.
  float query_scale() const { return spec_.softcap > 0 ? spec_.scale : spec_.scale * kLog2e; }

  // Scores s[key][row] of rows [first, last], one to a lane, and of keys [begin, end) of the tile that
  // begins at key j. Lanes behind the last row repeat it.
  template <int kVectors>
  void apply_panel(int64_t first, int64_t last, int64_t j, int begin, int end, float* s) const {
    constexpr int kWidth = kVectors * kLanes;
    if (spec_.softcap > 0) {
      const vfloat cap = splat(spec_.softcap * kLog2e);
      for (int at = begin * kWidth; at < end * kWidth; at += kLanes) {
        store(s + at, capped(load(s + at)) * cap);
      }
    }
    if (spec_.bias_dtype != 0) {
      with_type(spec_.bias_dtype, [&](auto zero) {
        add_bias<decltype(zero), kWidth>(first, last, j, begin, end, s);
      });
    }
    if (spec_.has_alibi_slopes) {
      alignas(64) float slopes[kWidth], distance[kWidth];  // of key j from the row's position
      for (int lane = 0; lane < kWidth; ++lane) {
        const int64_t row = std::min(first + lane, last);
        slopes[lane] = slope(rows_.head(row));
        distance[lane] = float(j - rows_.position(row));
      }
      for (int v = 0; v < kVectors; ++v) {
        const vfloat slope = load(slopes + v * kLanes), from = load(distance + v * kLanes);
        for (int k = begin; k < end; ++k) {
          const vfloat d = from + splat(float(k));
          float* at = s + k * kWidth + v * kLanes;
          store(at, fma(slope, alibi_distance(d), load(at)));
        }
      }
    }
  }

  // What bias and ALiBi are to a row and the keys of a tile.
  struct Row {
    const float* bias;
    vfloat slope, distance;
  };

  // Of query i and head, and keys [begin, end) of the tile that begins at key j; `bias` is memory for them.
  Row row(int64_t i, int64_t head, int64_t j, int begin, int end, float* bias) const {
    Row all{};
    if (spec_.bias_dtype != 0) {
      with_type(spec_.bias_dtype, [&](auto zero) {
        load_row(static_cast<const decltype(zero)*>(operands_.bias) +
                     rows_.score_offset(spec_.bias_stride, i, head) + j + begin,
                 end - begin, kLog2e, bias + begin);
      });
      all.bias = bias;
    }
    if (spec_.has_alibi_slopes) {
      all.slope = splat(slope(head));
      all.distance = splat(float(j - rows_.position_of(i))) + floats(lane_numbers());
    }
    return all;
  }

  // Scores of a row, of keys from k on. Answers softcap's tanh, 0 without one, whose square is what the
  // derivative lacks of 1, and what ALiBi multiplies the slope by, the derivative by that.
  vfloat apply_row(const Row& of, int k, vfloat x, vfloat& tanh, vfloat& toward) const {
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

 private:
  // What softcap takes the tanh of, from a score: by itself, since a query times the inverse might
  // overflow where the score does not.
  vfloat capped(vfloat score) const { return tanh(score * splat(1.0f / spec_.softcap)); }
  // What a slope of ALiBi is multiplied by, from a key's signed distance to the row's position.
  vfloat alibi_distance(vfloat d) const { return spec_.causal ? d : min(d, splat(0.0f) - d); }
  float slope(int64_t head) const {
    return operands_.alibi_slopes[rows_.batch() * spec_.alibi_slopes_stride[0] +
                                  head * spec_.alibi_slopes_stride[1]] *
           kLog2e;
  }

  template <typename Bias, int kWidth>
  void add_bias(int64_t first, int64_t last, int64_t j, int begin, int end, float* s) const {
    for (int lane = 0; lane < kWidth; lane += 8) {
      const Bias* rows[8];
      for (int r = 0; r < 8; ++r) {
        const int64_t row = std::min(first + lane + r, last);
        rows[r] = static_cast<const Bias*>(operands_.bias) +
                  rows_.score_offset(spec_.bias_stride, row) + j + begin;
      }
      for_each_block(rows, end - begin, [&](int64_t k, float8 bias) {
        float* at = s + (begin + k) * kWidth + lane;
        store8(at, load8(at) + bias * kLog2e);
      });
    }
  }

  const AttentionRows& rows_;
  const Spec& spec_;
  const Inputs& operands_;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
