// The rows and keys of a tile as factors of scores, and these scores.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/constants.h"
#include "cpu/additive/kernels.h"
#include "cpu/additive/score.h"
#include "cpu/softmax/pair_rows.h"

namespace fovea::additive::cpu::FOVEA_TIER {

// A query with its bias or a key beyond this is raised to the power of this instead, within float32.
// Unless both are beyond kFar, that changes no score: tanh is 1 or -1. Where both are, a score is computed
// apart, term by term.
constexpr float kFarthest = 43, kFar = 34;

// e^(2 (x + low)) within the limits.
inline vfloat power_of(vfloat x, vfloat low) {
  return exp_twice(min(splat(kFarthest), max(splat(-kFarthest), x)), low);
}

class Scores : public PairRows<Spec> {
 public:
  using Op = additive::cpu::Op;

  Scores(const fovea_plan& plan, const Inputs& inputs, const fovea::cpu::Sequence& sequence,
         int64_t batch, int64_t key_head, float* scratch)
      : PairRows(spec_of(plan), sequence, batch, key_head),
        inputs_(inputs),
        score_layout_(plan),
        memory_(scratch),
        most_heads_(int(std::min<int64_t>(group_, plan.tile_queries))),
        depth_((spec_.head_dim + kShared - 1) / kShared * kShared) {}

  // e^(2 (q + b)) of the tile's rows, zeros behind.
  const float* power_row(int r) const {
    return memory_ + score_layout_.queries + r * score_layout_.query_row;
  }
  // Which of the heads in a tile a row of it is of.
  int slot(int r) const { return r % most_heads_; }
  int slots(int rows) const { return std::min(rows, most_heads_); }
  const float* weights_of(int64_t head) const {
    return inputs_.weight + head * spec_.weight_stride[0];
  }
  // Whether a power of row r and a key of the tile may be beyond kMostPower.
  bool is_limited(int r) const { return limited_[r]; }

  // Calls body(k) for the keys of the tile whose scores with row r are no sums of their factors: all of
  // them, or the far ones of a far row.
  template <typename Body>
  void for_each_apart(int r, int begin, int end, Body body) const {
    if (!apart_[r] && !(distance_[r] > kFar)) return;
    for (int i = 0, k = begin; k < end; ++k) {
      while (i < far_count_ && far_keys_[i] < k) ++i;
      if (apart_[r] || (i < far_count_ && far_keys_[i] == k)) body(k);
    }
  }

  // tanh of a row and a key, term by term, until the next row or key.
  const float* tanh_row(int64_t row, int64_t j) const {
    float* const to = memory_ + score_layout_.raw + 2 * score_layout_.query_row;
    with_type(spec_.dtype, [&](auto zero) {
      using T = decltype(zero);
      float* const key = memory_ + score_layout_.raw + score_layout_.query_row;
      load_row(static_cast<const T*>(inputs_.query) + query_offset(spec_.query_stride, row),
               spec_.head_dim, 1.0f, to);
      load_row(static_cast<const T*>(inputs_.key) + key_offset(spec_.key_stride, j), spec_.head_dim,
               1.0f, key);
      for_each_sum(head(row), to, [&](int64_t a, vfloat sum, vfloat low) {
        store(to + a, tanh((sum + load(key + a)) + low));
      });
    });
    return to;
  }

 protected:
  void load_queries(int64_t row, int count) {
    row_begin_ = row;
    float* const to = memory_ + score_layout_.queries;
    with_type(spec_.dtype, [&](auto zero) {
      load_rows(static_cast<const decltype(zero)*>(inputs_.query), spec_.query_stride, row, count,
                spec_.head_dim, 1.0f, to, score_layout_.query_row);
    });
    for_each_row(row, row + count, [&](int64_t at, int64_t, int64_t head) {
      const int r = int(at - row);
      if (r < most_heads_) load_head(r, head);
      apart_[r] = head_apart_[slot(r)];
      float* const x = to + r * score_layout_.query_row;
      vfloat farthest{};
      for_each_sum(head, x, [&](int64_t a, vfloat sum, vfloat low) {
        farthest = max(magnitude(sum), farthest);
        store(x + a, power_of(sum, low));
      });
      std::fill(x + spec_.head_dim, x + score_layout_.query_row, 0.0f);
      distance_[r] = highest(farthest);
    });
  }

  void load_keys(int64_t j, int count) {
    key_begin_ = j;
    float* const to = memory_ + score_layout_.transposed_keys;
    const int64_t row = score_layout_.key_row;
    with_type(spec_.dtype, [&](auto zero) {
      pack_columns(
          static_cast<const decltype(zero)*>(inputs_.key) + key_offset(spec_.key_stride, j),
          spec_.key_stride[1], count, spec_.head_dim, to, row);
    });
    std::fill(to + spec_.head_dim * row, to + depth_ * row, 0.0f);
    far_count_ = 0;
    for (int k = 0; k < count; k += kLanes) {
      vfloat farthest{};
      for (int64_t a = 0; a < spec_.head_dim; ++a) {
        float* const at = to + a * row + k;
        farthest = max(magnitude(load(at)), farthest);
        store(at, power_of(load(at), vfloat{}));
      }
      for (int lane = 0; lane < std::min(kLanes, count - k); ++lane) {
        if (farthest[lane] > kFar) far_keys_[far_count_++] = k + lane;
      }
    }
    float* const most = memory_ + score_layout_.most_keys;
    for (int64_t a = 0; a < spec_.head_dim; ++a) {
      vfloat highest_of{};
      for (int k = 0; k < count; k += kLanes) highest_of = max(load(to + a * row + k), highest_of);
      most[a] = highest(highest_of);
    }
    std::fill(most + spec_.head_dim, most + score_layout_.query_row, 0.0f);
  }

  // Of the rows that were taken, and of the keys that each sees, rounded to vectors.
  void compute(int rows, int keys, const Panel<float>& s) {
    find_limited(rows);
    for (int begin = 0; begin < keys; begin += kKeyVectors * kLanes) {
      const int end = std::min(keys, begin + kKeyVectors * kLanes);
      for_each_row(row_begin_, row_begin_ + rows, [&](int64_t row, int64_t i, int64_t) {
        const Span seen = seen_within(i, begin, end);
        if (seen.begin >= seen.end) return;
        const int r = int(row - row_begin_), first = seen.begin / kLanes * kLanes;
        const auto score = is_limited(r) ? score_row<true> : score_row<false>;
        score((seen.end - first + kLanes - 1) / kLanes, power_row(r),
              memory_ + score_layout_.head_weights + slot(r) * score_layout_.query_row,
              memory_ + score_layout_.transposed_keys + first, score_layout_.key_row, depth_,
              factors_[slot(r)], s.at + r * s.row + first);
        for_each_apart(r, seen.begin, seen.end,
                       [&](int k) { s.at[r * s.row + k] = score_apart(row, key_begin_ + k); });
      });
    }
  }

 private:
  static float highest(vfloat v) {
    float most = 0;
    for (int lane = 0; lane < kLanes; ++lane) most = std::max(most, v[lane]);
    return most;
  }

  // Calls body(a, x + bias, what of it the sum is too coarse for) for vectors of a row x.
  template <typename Body>
  void for_each_sum(int64_t head, const float* x, Body body) const {
    float* const bias = memory_ + score_layout_.raw;
    if (spec_.has_bias) {
      load_row(inputs_.bias + head * spec_.bias_stride[0], spec_.head_dim, 1.0f, bias);
    }
    for (int64_t a = 0; a < spec_.head_dim; a += kLanes) {
      const vfloat q = load(x + a);
      if (!spec_.has_bias) {
        body(a, q, vfloat{});
        continue;
      }
      // Knuth's sum of two.
      const vfloat b = load(bias + a), sum = q + b, of_b = sum - q;
      const vfloat low = (q - (sum - of_b)) + (b - of_b);
      body(a, sum, select(low == low, low, vfloat{}));  // of infinities there is none
    }
  }

  void find_limited(int rows) {
    const float* const keys = memory_ + score_layout_.most_keys;
    for (int r = 0; r < rows; ++r) {
      vfloat most{};
      for (int64_t a = 0; a < spec_.head_dim; a += kLanes) {
        most = max(load(power_row(r) + a) * load(keys + a), most);
      }
      limited_[r] = highest(most) > 0.99f * kMostPower;
    }
  }

  void load_head(int slot, int64_t head) {
    const float* const weight = weights_of(head);
    float most = 0;
    double sum = 0;
    bool finite = true;
    for (int64_t a = 0; a < spec_.head_dim; ++a) {
      most = std::max(most, std::abs(weight[a]));
      sum += double(weight[a]);
      finite &= std::isfinite(weight[a]);
    }
    head_apart_[slot] = !finite || most >= 0x1p100f;
    int exponent = 0;
    if (!head_apart_[slot]) std::frexp(most, &exponent);
    exponent = std::max(exponent, -100);
    float* const to = memory_ + score_layout_.head_weights + slot * score_layout_.query_row;
    const float down = std::ldexp(1.0f, -exponent);
    for (int64_t a = 0; a < spec_.head_dim; ++a) to[a] = weight[a] * down;
    std::fill(to + spec_.head_dim, to + score_layout_.query_row, 0.0f);
    factors_[slot] = {float(-2 / kLn2 * std::ldexp(1.0, exponent)), float(sum / kLn2)};
  }

  float score_apart(int64_t row, int64_t j) const {
    const float* const t = tanh_row(row, j);
    const float* const weight = weights_of(head(row));
    double sum = 0;
    for (int64_t a = 0; a < spec_.head_dim; ++a) sum += double(weight[a]) * double(t[a]);
    return float(sum / kLn2);
  }

  const Inputs& inputs_;
  const ScoreScratch score_layout_;
  float* const memory_;
  const int most_heads_;
  const int64_t depth_;
  // By slot, by row, of the keys.
  HeadFactors factors_[fovea::cpu::kMostTileRows];
  bool head_apart_[fovea::cpu::kMostTileRows], apart_[fovea::cpu::kMostTileRows],
      limited_[fovea::cpu::kMostTileRows];
  float distance_[fovea::cpu::kMostTileRows];
  int far_count_ = 0;
  int far_keys_[kMostKeys];
};

}  // namespace fovea::additive::cpu::FOVEA_TIER
