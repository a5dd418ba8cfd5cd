// Items of the backward pass whose state has the columns of values: what later phases read of the forward,
// and dvalue.
#pragma once

#include "cpu/linear/backward_item.h"

namespace fovea::linear::cpu::FOVEA_TIER {

// Normalised: inverses of sums of weights, and what a gradient of out gives to them. With the delta rule:
// the errors of the state, in columns of values.
class StartItem : BackwardItem {
 public:
  StartItem(const BackwardRun& run, const Work& work)
      : BackwardItem(run, work, spec_of(run.plan).head_dim) {}

  void run() {
    if (spec_.normalised) {
      load_initial_sum();
      for_each_chunk([this](int64_t from, int count) { weigh(from, count); });
      return;
    }
    load_initial_state();
    for_each_chunk([this](int64_t from, int count) { take(from, count); });
  }

 private:
  void weigh(int64_t from, int count) {
    tokens_.load_keys(from, count, 0, spec_.head_dim, keys());
    tokens_.load_queries(from, count, 0, spec_.head_dim, queries());
    load_row_decays(from, count);
    sum_weights(from, count, [&](int t, int64_t h, float inverse) {
      const int64_t i = tokens_.query_of(from + t), row = tokens_.query_row(i, h);
      float product = 0;
      with_type(spec_.out_dtype, [&](auto zero) {
        const auto* const out = static_cast<const decltype(zero)*>(operands_.out);
        const auto* const dout = static_cast<const decltype(zero)*>(operands_.dout);
        product = dot(dout + tokens_.query_offset(spec_.dout_stride, i, h),
                      out + tokens_.query_offset(spec_.out_stride, i, h), spec_.value_head_dim);
      });
      workspace_[shared_.inverses + row] = inverse;
      workspace_[shared_.shares + row] = inverse == 0 ? 0.0f : product * inverse;
    });
  }

  void take(int64_t from, int count) {
    tokens_.load_keys(from, count, 0, spec_.head_dim, keys());
    tokens_.load_values(from, count, begin_, end_, values());
    load_row_decays(from, count);
    tokens_.load_betas(from, count, betas());
    decay_keys(count);
    const Chunk chunk = {count,  row_decay(), decays(), decay_step(), keys(),
                         values(), {}, {}, tokens_.keys_within(from, count), {}, true};
    sweep<true>(
        chunk, state_, [this](int t, const Columns& part) { correct_value(t, part); },
        [](int, const Columns&) {});
    for (int t = chunk.updates.begin; t < chunk.updates.end; ++t) {
      std::copy_n(errors().of(t), width_, key_rows(shared_.errors, spec_.value_head_dim, from + t) + begin_);
    }
  }
};

// dvalue and dinitial_state: the gradient of the state, which the queries change and the keys read, from
// the last token to the first.
class ValueItem : BackwardItem {
 public:
  ValueItem(const BackwardRun& run, const Work& work)
      : BackwardItem(run, work, spec_of(run.plan).head_dim) {}

  void run() {
    state_.clear();
    start_decays();
    for_each_chunk_back([this](int64_t from, int count) { take(from, count); });
    decay_last(row_decay(), decay_step());
    if (spec_.has_dinitial_state) {
      state_.store_rows(
          operands_.dinitial_state + tokens_.state_offset(spec_.dinitial_state_stride) + begin_,
          spec_.dinitial_state_stride[2], spec_.head_dim, spec_.accumulate);
    }
    pad_keys(operands_.dvalue, spec_.dvalue_stride);
  }

 private:
  void take(int64_t from, int count) {
    tokens_.load_keys(from, count, 0, spec_.head_dim, keys());
    tokens_.load_queries(from, count, 0, spec_.head_dim, queries());
    load_douts(from, count, begin_, end_, douts(group_));
    if (has_decay()) load_decays_back(from, count, 0, decay_step() * spec_.head_dim);
    const TokenRows outs = this->outs(1);
    if (has_delta()) {
      tokens_.load_betas(from, count, betas());
      load_key_rows(shared_.errors, spec_.value_head_dim, from, count, begin_, end_, errors());
    }
    const Chunk chunk = {count,
                         row_decay(),
                         decays_behind(),
                         decay_step(),
                         queries(),
                         douts(group_),
                         keys(),
                         outs,
                         tokens_.queries_within(from, count),
                         tokens_.keys_within(from, count),
                         has_delta()};
    sweep<false>(
        chunk, state_, [](int, const Columns&) {},
        [&](int t, const Columns& part) {
          if (has_delta() && tokens_.has_key(from + t)) take_back(from, t, part);
        });
    with_type(spec_.gradient_dtype, [&](auto zero) {
      auto* const to = static_cast<decltype(zero)*>(operands_.dvalue) + begin_;
      for (int t = chunk.reads.begin; t < chunk.reads.end; ++t) {
        store_row(outs.of(t), width_, 1.0f, spec_.accumulate,
                  to + tokens_.key_offset(spec_.dvalue_stride, tokens_.key_of(from + t)));
        if (has_delta()) {
          std::copy_n(outs.of(t), width_, key_rows(shared_.steps, spec_.value_head_dim, from + t) + begin_);
        }
      }
    });
  }

  // The gradient of u becomes that of the value, and what the state held for the key takes its own part.
  void take_back(int64_t from, int t, const Columns& part) {
    float* const du = outs(1).of(t) + part.begin;
    const vfloat beta = splat(betas()[t]);
    for (int64_t c = 0; c < int64_t{part.vectors} * kLanes; c += kLanes) {
      if (spec_.has_dbeta) {
        const vfloat product = load(du + c) * load(errors().of(t) + part.begin + c);
        float sum = 0;
        for (int lane = 0; lane < kLanes; ++lane) sum += product[lane];
        add_to_block(shared_.beta_parts, spec_.value_head_dim, from + t, begin_ + part.begin + c, sum);
      }
      store(du + c, beta * load(du + c));
    }
    subtract(keys().of(t), du, part);
  }
};

}  // namespace fovea::linear::cpu::FOVEA_TIER
