// What becomes of a score between the product and the softmax: softcap, bias, what is added by distance, ALiBi,
// Gaussian and span, in this order, and the mask that is an operand; the scale is in the queries. Written for
// both ways that scores lie: rows in the SIMD lanes, as in the forward, and keys in them, as in the
// backward. Scores come out in units of log2.
#pragma once

#include "cpu/attention/backward_layout.h"
#include "cpu/attention/modifier_run.h"
#include "cpu/attention/rows.h"
#include "cpu/pack.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// Keys [begin, end) of a panel's scores are -infinity where its rows, which begin there, have 0, whatever
// they were: NaN too.
template <int kWidth>
void hide_unseen(const uint8_t* const (&rows)[kWidth], int begin, int end, float* s) {
  for (int lane = 0; lane < kWidth; lane += 8) {
    const uint8_t* some[8];
    std::copy_n(rows + lane, 8, some);
    for_each_block(some, end - begin, [&](int64_t k, float8 seen) {
      float* at = s + (begin + k) * kWidth + lane;
      store8(at, where(seen == float8{}, splat8(-kInfinity), load8(at)));
    });
  }
}

class ScoreModifier {
 public:
  ScoreModifier(const AttentionRows& rows, const Inputs& operands)
      : rows_(rows), spec_(rows.spec()), operands_(operands) {}

  bool is_active() const { return modifies_scores(spec_); }

  // What a query is multiplied by before its scores. A program and softcap take them in natural units;
  // without these the units of log2 come for free.
  float query_scale() const {
    const float scale = modifies_in_natural_units(spec_) ? spec_.scale : spec_.scale * kLog2e;
    if (!spec_.has_query_scales) return scale;
    const int64_t(&stride)[2] = spec_.query_scales_stride;
    return scale * operands_.query_scales[rows_.batch() * stride[0] + rows_.key_head() * stride[1]];
  }

  // Keys before this one have no weight for any of rows [begin, end), whatever the mask: 0 without spans.
  int64_t first_key(int64_t begin, int64_t end) const {
    if (!spec_.has_spans) return 0;
    double first = double(rows_.position(end - 1));
    rows_.for_each_row(begin, end, [&](int64_t row, int64_t i, int64_t head) {
      first = std::min(first, double(rows_.position(row)) - reach(span(i, head)));
    });
    return first > 0 ? int64_t(first) : 0;
  }

  // How far from its position the farthest key lies that has a weight for any of rows [0, end); infinite
  // without spans.
  double longest_reach(int64_t end) const {
    if (!spec_.has_spans) return double(kInfinity);
    double longest = 0;
    rows_.for_each_row(0, end, [&](int64_t, int64_t i, int64_t head) {
      longest = std::max(longest, reach(span(i, head)));
    });
    return longest;
  }

  // Scores s[key][row] of rows [first, last], one to a lane, and of keys [begin, end) of the tile that
  // begins at key j. Lanes behind the last row repeat it. `relative` is memory for what is added by distance,
  // `program` that of a ModifierRun.
  template <int kVectors>
  void apply_panel(int64_t first, int64_t last, int64_t j, int begin, int end, float* s,
                   float* relative, float* program) const {
    constexpr int kWidth = kVectors * kLanes;
    if (spec_.has_modifier_program) {
      run_program<kVectors>(first, last, j, begin, end, s, program);
    }
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
    if (spec_.has_relative_table) {
      add_relative<kWidth>(first, last, j, begin, end, s, relative);
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
    if (spec_.has_gaussian_centers || spec_.has_spans) {
      add_by_row<kVectors>(first, last, j, begin, end, s);
    }
    if (spec_.has_mask) hide<kWidth>(first, last, j, begin, end, s);
    if (spec_.has_tree_mask) hide_branches<kWidth>(first, last, j, begin, end, s);
  }

  // Of a worker, for a row of a tile.
  struct Memory {
    float *bias, *mask, *program;
    int32_t* buckets;
  };

  // What modifiers are to a row and the keys of a tile.
  struct Row {
    const float* bias;       // with what is added by distance; null if there is neither
    const float* mask;       // 0 where a key is hidden; null if none is
    const int32_t* buckets;  // of the keys' distances
    vfloat slope, distance;  // of the tile's first keys from the row's position
    vfloat center, span;
    vfloat key;  // the tile's first keys
    // What a program leaves, from key `begin` on: by the score, and by what it looked up, and where.
    int begin;
    ModifierValues by_score, partial[ModifierProgram::kMostLoads], column[ModifierProgram::kMostLoads];
  };

  // Of query i and head, and keys [begin, end) of the tile that begins at key j, whose scores s a program
  // modifies at once. Begins at a vector.
  Row row(int64_t i, int64_t head, int64_t j, int begin, int end, float* s,
          const Memory& memory) const {
    Row all{};
    if (spec_.has_modifier_program) run_program(i, head, j, begin, end, s, memory.program, all);
    if (spec_.bias_dtype != 0) {
      with_type(spec_.bias_dtype, [&](auto zero) {
        load_row(static_cast<const decltype(zero)*>(operands_.bias) +
                     rows_.score_offset(spec_.bias_stride, i, head) + j + begin,
                 end - begin, kLog2e, memory.bias + begin);
      });
      all.bias = memory.bias;
    }
    if (spec_.has_relative_table) {
      const int64_t filled = begin + round_to_vectors(end - begin);
      if (all.bias == nullptr) std::fill(memory.bias + begin, memory.bias + filled, 0.0f);
      for (int64_t k = begin; k < filled; ++k) {
        memory.buckets[k] = bucket(j + k - rows_.position_of(i));
        memory.bias[k] += relative(head, memory.buckets[k]);
      }
      all.bias = memory.bias;
      all.buckets = memory.buckets;
    }
    if (spec_.has_mask) {
      load_row(operands_.mask + rows_.score_offset(spec_.mask_stride, i, head) + j + begin,
               end - begin, 1.0f, memory.mask + begin);
      all.mask = memory.mask;
    }
    if (spec_.has_alibi_slopes) {
      all.slope = splat(slope(head));
    }
    all.distance = splat(float(j - rows_.position_of(i))) + floats(lane_numbers());
    all.key = splat(float(j)) + floats(lane_numbers());
    if (spec_.has_gaussian_centers) all.center = splat(center(i, head));
    if (spec_.has_spans) all.span = splat(span(i, head));
    return all;
  }

  // By the score before a program, what a gradient by the score behind it is multiplied by.
  vfloat program_slope(const Row& of, int k) const {
    return spec_.has_modifier_program ? of_program(of.by_score, of, k) : splat(1.0f);
  }
  // Adds what gradients t by scores that a program gave are by the numbers that it looked up.
  void gather_table(const Row& of, int k, vfloat t, double* row) const {
    const ModifierProgram program{operands_.modifier_program};
    const float last = float(spec_.modifier_columns - 1);
    for (int n = 0; n < program.loads(); ++n) {
      // Not 0 times what is there, which may be NaN.
      const vfloat by = select(t == vfloat{}, t, t * of_program(of.partial[n], of, k));
      if (of.column[n].step == 0) {  // of the row
        float sum = 0;
        for (int lane = 0; lane < kLanes; ++lane) sum += by[lane];
        row[ModifierRun<1>::column_of(of.column[n].at[0], last)] += double(sum);
        continue;
      }
      const vfloat column = of_program(of.column[n], of, k);
      for (int lane = 0; lane < kLanes; ++lane) {
        row[ModifierRun<1>::column_of(column[lane], last)] += double(by[lane]);
      }
    }
  }

  // Scores of a row, of keys from k on, which a program has modified. Answers softcap's tanh, 0 without one,
  // whose square is what the derivative lacks of 1, and the derivatives by the row's operands, in natural
  // units.
  vfloat apply_row(const Row& of, int k, vfloat x, vfloat& tanh, vfloat* toward) const {
    if (spec_.softcap > 0) {
      tanh = capped(x);
      x = tanh * splat(spec_.softcap * kLog2e);
    }
    if (of.bias != nullptr) x += load(of.bias + k);
    if (spec_.has_alibi_slopes) {
      toward[kSlope] = alibi_distance(of.distance + splat(float(k)));
      x = fma(of.slope, toward[kSlope], x);
    }
    if (spec_.has_gaussian_centers) {
      const vfloat d = of.key + splat(float(k)) - of.center;
      toward[kCenter] = d * splat(1.0f / (spec_.gaussian_sigma * spec_.gaussian_sigma));
      x = add_gaussian(x, d);
    }
    if (spec_.has_spans) {
      const vfloat left = left_of_span(of.span, of.distance + splat(float(k)));
      const vint falls = (left > splat(0.0f)) & (left < splat(spec_.span_ramp));
      toward[kSpan] = select(falls, splat(1.0f) / left, splat(0.0f));
      x = add_span(x, left);
    }
    if (of.mask != nullptr) x = select(load(of.mask + k) == splat(0.0f), splat(-kInfinity), x);
    return x;
  }

 private:
  template <typename Run>
  Run start(float* memory, int most) const {
    Run run(ModifierProgram{operands_.modifier_program}, memory, most);
    run.set_table(operands_.modifier_table, spec_.modifier_table_stride[1], spec_.modifier_columns);
    return run;
  }
  static vfloat of_program(const ModifierValues& values, const Row& of, int k) {
    return load(values.at + (k - of.begin) / kLanes * values.step);
  }
  // Where the numbers of a head begin.
  int64_t modifier_row(int64_t head) const { return head * spec_.modifier_table_stride[0]; }
  // What a score is multiplied by behind its program.
  float program_units() const { return spec_.softcap > 0 ? 1.0f : kLog2e; }

  template <int kVectors>
  void run_program(int64_t first, int64_t last, int64_t j, int begin, int end, float* s,
                   float* memory) const {
    using Run = ModifierRun<kVectors>;
    constexpr int kWidth = Run::kWidth;
    Run run = start<Run>(memory, kModifiedKeys);
    for (int lane = 0; lane < kWidth; ++lane) {
      const int64_t row = std::min(first + lane, last), head = rows_.head(row);
      run.set_lane(lane, rows_.batch(), head, rows_.position(row), modifier_row(head));
    }
    run.run_rows();
    const vfloat units = splat(program_units());
    for (int k = begin; k < end; k += kModifiedKeys) {
      const int keys = std::min(kModifiedKeys, end - k);
      for (int n = 0; n < keys; ++n) {
        std::fill_n(run.keys() + n * kWidth, kWidth, float(j + k + n));
      }
      float* const at = s + k * kWidth;
      run.set_scores(at);
      run.run_value(keys);
      const ModifierValues result = run.values(run.program().value());
      for (int n = 0; n < keys; ++n) {
        for (int v = 0; v < kWidth; v += kLanes) {
          store(at + n * kWidth + v, load(result.at + n * result.step + v) * units);
        }
      }
    }
  }

  // Of a row, with gradients.
  void run_program(int64_t i, int64_t head, int64_t j, int begin, int end, float* s, float* memory,
                   Row& all) const {
    using Run = ModifierRun<1>;
    Run run = start<Run>(memory, fovea::cpu::kMostTileKeys / kLanes);
    for (int lane = 0; lane < kLanes; ++lane) {
      run.set_lane(lane, rows_.batch(), head, rows_.position_of(i), modifier_row(head));
    }
    run.run_rows();
    const int vectors = (end - begin + kLanes - 1) / kLanes;
    for (int n = 0; n < vectors; ++n) {
      const int k = n * kLanes;
      store(run.keys() + k, splat(float(j + begin + k)) + floats(lane_numbers()));
      store(run.scores() + k, load(s + begin + k));
    }
    run.run_value(vectors);
    run.run_gradients(vectors);
    const vfloat units = splat(program_units());
    const ModifierValues value = run.values(run.program().value());
    for (int n = 0; n < vectors; ++n) {
      store(s + begin + n * kLanes, load(value.at + n * value.step) * units);
    }
    all.begin = begin;
    all.by_score = run.values(run.program().slope());
    for (int load = 0; load < run.program().loads(); ++load) {
      all.partial[load] = run.values(run.program().partial(load));
      all.column[load] = run.values(run.program().column(load));
    }
  }

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

  // The column of the table for keys at a signed distance from the row's position.
  int32_t bucket(int64_t distance) const {
    const int64_t reach = spec_.relative_width / 2;
    const int32_t found = operands_.relative_buckets[std::clamp(distance, -reach, reach) + reach];
    return int32_t(std::clamp<int64_t>(found, 0, spec_.relative_count - 1));
  }
  float relative(int64_t head, int32_t bucket) const {
    const int64_t(&stride)[2] = spec_.relative_table_stride;
    return operands_.relative_table[head * stride[0] + bucket * stride[1]] * kLog2e;
  }

  float center(int64_t i, int64_t head) const {
    return operands_.gaussian_centers[rows_.score_offset(spec_.gaussian_centers_stride, i, head)];
  }
  float span(int64_t i, int64_t head) const {
    return operands_.spans[rows_.score_offset(spec_.spans_stride, i, head)];
  }
  // How far from its position the farthest key with a weight may lie; NaN shows in all of them.
  double reach(float span) const {
    return span == span ? double(span) + double(spec_.span_ramp) : double(kInfinity);
  }
  // Of keys that lie at distance d from the center.
  vfloat add_gaussian(vfloat x, vfloat d) const {
    const float sigma = spec_.gaussian_sigma;
    return fma(d * d, splat(float(-0.5 / kLn2 / (double(sigma) * sigma))), x);
  }
  // How far keys, at signed distance d from the row's position, are from where the weights are 0. The
  // distance first: the result is exact where it is small.
  vfloat left_of_span(vfloat span, vfloat d) const { return span + d + splat(spec_.span_ramp); }
  // The weight is multiplied by what falls from 1 to 0, that is, its logarithm is added to the score.
  vfloat add_span(vfloat x, vfloat left) const {
    const vfloat ratio = max(splat(0.0f), left * splat(1.0f / spec_.span_ramp));
    return x + log2(min(splat(1.0f), ratio));
  }

  // Gaussian and span, of a panel.
  template <int kVectors>
  void add_by_row(int64_t first, int64_t last, int64_t j, int begin, int end, float* s) const {
    constexpr int kWidth = kVectors * kLanes;
    alignas(64) float centers[kWidth] = {}, spans[kWidth] = {}, distance[kWidth];
    for (int lane = 0; lane < kWidth; ++lane) {
      const int64_t row = std::min(first + lane, last);
      const int64_t i = rows_.query(row), head = rows_.head(row);
      if (spec_.has_gaussian_centers) centers[lane] = center(i, head);
      if (spec_.has_spans) spans[lane] = span(i, head);
      distance[lane] = float(j - rows_.position(row));
    }
    for (int v = 0; v < kVectors; ++v) {
      const vfloat center = load(centers + v * kLanes), span = load(spans + v * kLanes);
      const vfloat from = load(distance + v * kLanes);
      for (int k = begin; k < end; ++k) {
        float* const at = s + k * kWidth + v * kLanes;
        vfloat x = load(at);
        if (spec_.has_gaussian_centers) x = add_gaussian(x, splat(float(j + k)) - center);
        if (spec_.has_spans) x = add_span(x, left_of_span(span, from + splat(float(k))));
        store(at, x);
      }
    }
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

  // What a head adds is a row by distance, from the farthest on the left on, of which each of its queries
  // takes a part.
  template <int kWidth>
  void add_relative(int64_t first, int64_t last, int64_t j, int begin, int end, float* s,
                    float* memory) const {
    const int64_t low = rows_.position(first), high = rows_.position(last);
    const int64_t length = end - begin + high - low;
    const int64_t heads = std::min(rows_.group(), last - first + 1);
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t x = 0; x < length; ++x) {
        memory[h * length + x] = relative(rows_.head(first + h), bucket(j + begin - high + x));
      }
    }
    for (int lane = 0; lane < kWidth; lane += 8) {
      const float* rows[8];
      for (int r = 0; r < 8; ++r) {
        const int64_t row = std::min(first + lane + r, last);
        rows[r] = memory + (row - first) % heads * length + high - rows_.position(row);
      }
      for_each_block(rows, end - begin, [&](int64_t k, float8 added) {
        float* at = s + (begin + k) * kWidth + lane;
        store8(at, load8(at) + added);
      });
    }
  }

  template <int kWidth>
  void hide(int64_t first, int64_t last, int64_t j, int begin, int end, float* s) const {
    const uint8_t* rows[kWidth];
    for (int lane = 0; lane < kWidth; ++lane) {
      const int64_t row = std::min(first + lane, last);
      rows[lane] = operands_.mask + rows_.score_offset(spec_.mask_stride, row) + j + begin;
    }
    hide_unseen<kWidth>(rows, begin, end, s);
  }

  // What a tree hides, of the keys that the queries themselves are.
  template <int kWidth>
  void hide_branches(int64_t first, int64_t last, int64_t j, int begin, int end, float* s) const {
    const int64_t new_keys = rows_.sequence().key_length - rows_.sequence().query_length;
    const int from = int(std::clamp<int64_t>(new_keys - j, begin, end));
    if (from == end) return;
    const int64_t(&stride)[2] = spec_.tree_mask_stride;
    const uint8_t* rows[kWidth];
    for (int lane = 0; lane < kWidth; ++lane) {
      const int64_t row = std::min(first + lane, last);
      rows[lane] = operands_.tree_mask + rows_.query_offset({stride[0], stride[1], 0}, row) +
                   (j + from - new_keys);
    }
    hide_unseen<kWidth>(rows, from, end, s);
  }

  const AttentionRows& rows_;
  const Spec& spec_;
  const Inputs& operands_;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
