// One item of a forward pass whose scores are no product of matrices: a tile of query rows against all the
// keys they see. Scores, then weights, have the keys in the SIMD lanes; the online softmax is that of
// Milakov and Gimelshein (arXiv 1805.02867).
#pragma once

#include <algorithm>
#include <cmath>

#include "core/constants.h"
#include "cpu/dropout.h"
#include "cpu/product.h"
#include "cpu/softmax/backward_layout.h"
#include "cpu/softmax/pair_rows.h"
#include "cpu/softmax/top_weights.h"
#include "cpu/softmax/work.h"

namespace fovea::cpu::FOVEA_TIER {

// `Scores` is the PairRows of a sequence, and what an operation makes of them and of keys:
//   Op, with ForwardScratch, and kMostKeys, the keys of a tile at most
//   load_queries(row, count), load_keys(j, count)    takes them
//   compute(rows, keys, S)                           S of the keys that each of the first rows sees, in
//                                                    units of log2
//   prepare(rows, sweep)                             makes of them what it needs before: sweep(body) calls
//                                                    body(r, seen, S of r) for each row and tile of keys
//   weigh_keys(r, begin, end, P)                     multiplies weights of keys of the tile, summed before
template <typename Scores>
class ForwardPairs : public Scores {
  using Op = typename Scores::Op;
  using Scores::batch_, Scores::compute, Scores::for_each_row, Scores::high, Scores::key_offset,
      Scores::load_keys, Scores::load_queries, Scores::low, Scores::lse_offset,
      Scores::query_offset, Scores::row_begin_, Scores::score_offset, Scores::seen_within,
      Scores::spec_;

 public:
  ForwardPairs(const ForwardRun<Op>& run, const ForwardWork& work)
      : Scores(run.plan, run.operands, work.sequence, work.batch, work.key_head,
               static_cast<float*>(run.scratch)),
        run_(run),
        layout_(run.plan),
        scratch_(static_cast<float*>(run.scratch)),
        threshold_(dropout_threshold(spec_.dropout)) {}

  // Rows [begin, end) of the sequence's query_length * group rows.
  void run(int64_t begin, int64_t end) {
    rows_ = int(end - begin);
    load_queries(begin, rows_);
    std::fill_n(outputs().at, rows_ * outputs().row, 0.0f);
    std::fill_n(maximum_, rows_, -kInfinity);
    std::fill_n(sum_, rows_, 0.0f);
    this->prepare(rows_, [this](auto body) { sweep(body); });
    for_each_tile([this](int64_t j, int count) { step(j, count); });
    finish();
    if (spec_.has_weights || spec_.has_top_weights) write_weights();
  }

 private:
  Panel<float> weights() const { return {scratch_ + layout_.weights, layout_.key_row}; }
  Panel<float> values() const { return {scratch_ + layout_.values, layout_.value_row}; }
  Panel<float> outputs() const { return {scratch_ + layout_.outputs, layout_.value_row}; }

  // A tile of keys starts at a multiple of its size, wherever a row's first key is: then a row's
  // result does not depend on the rows beside it.
  template <typename Body>
  void for_each_tile(Body body) {
    const int64_t tile = run_.plan.tile_keys, last = high(row_begin_ + rows_ - 1);
    for (int64_t j = low(row_begin_) / tile * tile; j < last; j += tile) {
      const int count = int(std::min(tile, last - j));
      load_keys(j, count);
      compute(rows_, count, weights());
      body(j, count);
    }
  }

  template <typename Body>
  void for_each_tile_row(int count, Body body) {
    for_each_row(row_begin_, row_begin_ + rows_, [&](int64_t row, int64_t i, int64_t head) {
      body(int(row - row_begin_), i, head, seen_within(i, 0, count));
    });
  }

  template <typename Body>
  void sweep(Body body) {
    for_each_tile([&](int64_t, int count) {
      for_each_tile_row(count, [&](int r, int64_t, int64_t, Span seen) {
        body(r, seen, weights().at + r * weights().row);
      });
    });
  }

  void step(int64_t j, int count) {
    load_values(j, count);
    Span spans[(kMostTileRows + kBlockRows - 1) / kBlockRows];
    for_each_tile_row(count, [&](int r, int64_t i, int64_t head, Span seen) {
      // Both ends of a span rise with the row.
      Span& span = spans[r / kBlockRows];
      span = {r % kBlockRows == 0 ? seen.begin : span.begin, seen.end};
      weigh(r, i, head, j, count, seen);
    });
    multiply_spans({weights().at, weights().row, 1}, {values().at, values().row}, rows_,
                   int(spec_.value_head_dim), spans, true, outputs());
  }

  void load_values(int64_t j, int count) {
    with_type(spec_.dtype, [&](auto zero) {
      const auto* from = static_cast<const decltype(zero)*>(run_.operands.value) +
                         key_offset(spec_.value_stride, j);
      const int64_t stride = spec_.value_stride[1];
      for (int k = 0; k < count; ++k) {
        if (k + kRowsAhead < count)
          prefetch_row(from + (k + kRowsAhead) * stride, spec_.value_head_dim);
        load_row(from + k * stride, spec_.value_head_dim, 1.0f, values().at + k * values().row);
      }
    });
  }

  // From the scores of row r to what dropout keeps of exp2(s - maximum), zeros where it sees nothing.
  [[gnu::noinline]] void weigh(int r, int64_t i, int64_t head, int64_t j, int count, Span seen) {
    float* const s = weights().at + r * weights().row;
    if (seen.begin >= seen.end) {
      std::fill_n(s, round_to_vectors(count), 0.0f);
      return;
    }
    const int begin = seen.begin / kLanes * kLanes, end = int(round_to_vectors(seen.end));
    std::fill(s, s + begin, 0.0f);
    std::fill(s + end, s + round_to_vectors(count), 0.0f);
    vfloat highest = splat(-kInfinity);
    for (int k = begin; k < end; k += kLanes) {
      if (k < seen.begin || k + kLanes > seen.end) {
        const vint key = splat(int32_t(k)) + lane_numbers();
        const vint mask = (key >= splat(int32_t(seen.begin))) & (key < splat(int32_t(seen.end)));
        store(s + k, select(mask, load(s + k), splat(-kInfinity)));
      }
      highest = max(load(s + k), highest);
    }
    const float before = maximum_[r];
    float after = before;
    for (int lane = 0; lane < kLanes; ++lane) after = std::max(after, highest[lane]);
    maximum_[r] = after;
    const vfloat base = splat(after == -kInfinity ? 0.0f : after);
    const int32_t* kept = nullptr;
    if (threshold_ > 0) {
      kept = reinterpret_cast<int32_t*>(scratch_ + layout_.kept);
      draw_kept<Op::kMostKeys>(run_.call, threshold_, i, batch_ * spec_.query_heads + head, j, count,
                           reinterpret_cast<int32_t*>(scratch_ + layout_.kept));
    }
    vfloat sums{};
    for (int k = begin; k < end; k += kLanes) {
      const vfloat p = exp2(load(s + k) - base);
      sums += p;
      store(s + k, kept == nullptr ? p : from_bits(bits(p) & load(kept + k)));
    }
    this->weigh_keys(r, begin, end, s);
    float sum = 0;
    for (int lane = 0; lane < kLanes; ++lane) sum += sums[lane];
    const float decay = exp2(splat(before) - base)[0];
    sum_[r] = sum_[r] * decay + sum;
    if (decay == 1.0f) return;
    float* const out = outputs().at + r * outputs().row;
    for (int64_t d = 0; d < outputs().row; d += kLanes)
      store(out + d, load(out + d) * splat(decay));
  }

  // Leaves in maximum_ and sum_ what turns a score into a weight: exp2(s - maximum) * sum.
  void finish() {
    const float kept = dropout_scale(threshold_);
    with_type(spec_.out_dtype, [&](auto zero) {
      for (int r = 0; r < rows_; ++r) {
        const int64_t row = row_begin_ + r;
        const bool dead = sum_[r] == 0.0f;
        const float inverse = dead ? 0.0f : 1.0f / sum_[r];
        float* const from = outputs().at + r * outputs().row;
        if (dead) std::fill_n(from, spec_.value_head_dim, 0.0f);
        store_row(
            from, spec_.value_head_dim, inverse * kept, false,
            static_cast<decltype(zero)*>(run_.operands.out) + query_offset(spec_.out_stride, row));
        if (spec_.has_lse) {
          run_.operands.lse[lse_offset(row)] =
              dead ? -kInfinity : float((double(maximum_[r]) + std::log2(double(sum_[r]))) * kLn2);
        }
        if (maximum_[r] == -kInfinity) maximum_[r] = 0.0f;
        sum_[r] = inverse;
      }
    });
  }

  // The scores once more, now that every row's maximum and sum are known.
  void write_weights() {
    float* const to = run_.operands.weights;
    for_each_row(row_begin_, row_begin_ + rows_, [&](int64_t, int64_t i, int64_t head) {
      if (spec_.has_weights) {
        std::fill_n(to + score_offset(spec_.weights_stride, i, head), spec_.key_length, 0.0f);
      }
      if (spec_.has_top_weights) TopWeights(*this, run_.operands, i, head).clear();
    });
    for_each_tile([&](int64_t j, int count) {
      for_each_tile_row(count, [&](int r, int64_t i, int64_t head, Span seen) {
        float* const s = weights().at + r * weights().row;
        for (int k = seen.begin / kLanes * kLanes; k < seen.end; k += kLanes) {
          store(s + k, exp2(load(s + k) - splat(maximum_[r])) * splat(sum_[r]));
        }
        if (spec_.has_top_weights) list_top(i, head, j, seen, s);
        if (!spec_.has_weights) return;
        std::copy(s + seen.begin, s + std::max(seen.begin, seen.end),
                  to + score_offset(spec_.weights_stride, i, head) + j + seen.begin);
      });
    });
  }

  void list_top(int64_t i, int64_t head, int64_t j, Span seen, const float* s) const {
    const TopWeights top(*this, run_.operands, i, head);
    for (int k = seen.begin / kLanes * kLanes; k < seen.end; k += kLanes) {
      if (!any(~(load(s + k) <= splat(top.least())))) continue;
      for (int at = std::max(k, seen.begin); at < std::min(k + kLanes, seen.end); ++at) {
        top.add(s[at], j + at);
      }
    }
  }

  const ForwardRun<Op>& run_;
  const typename Op::ForwardScratch layout_;
  float* const scratch_;
  const uint32_t threshold_;
  int rows_ = 0;
  float maximum_[kMostTileRows], sum_[kMostTileRows];
};

}  // namespace fovea::cpu::FOVEA_TIER
