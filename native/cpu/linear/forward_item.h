// One item of the forward pass: columns of a state, and of the values and of out, from the first token to
// the last.
#pragma once

#include "cpu/linear/item.h"

namespace fovea::linear::cpu::FOVEA_TIER {

class ForwardItem : Item {
 public:
  ForwardItem(const ForwardRun& run, const Work& work)
      : Item(run.plan, run.operands, work, spec_of(run.plan).head_dim, run.scratch),
        operands_(run.operands) {}

  void run() {
    load_initial_state();
    if (spec_.normalised) load_initial_sum();
    for_each_chunk([this](int64_t from, int count) { take(from, count); });
    store_states();
    pad();
  }

 private:
  void take(int64_t from, int count) {
    tokens_.load_keys(from, count, 0, spec_.head_dim, keys());
    tokens_.load_queries(from, count, 0, spec_.head_dim, queries());
    tokens_.load_values(from, count, begin_, end_, values());
    load_row_decays(from, count);
    const TokenRows inverses = {scratch_ + layout_.inverses, 1, group_};
    if (spec_.normalised) {
      sum_weights(from, count, [&](int t, int64_t h, float inverse) { *inverses.of(t, h) = inverse; });
    }
    if (has_delta()) {
      tokens_.load_betas(from, count, betas());
      decay_keys(count);
    }
    const Chunk chunk = {count,
                         row_decay(),
                         decays(),
                         decay_step(),
                         keys(),
                         values(),
                         queries(),
                         outs(group_),
                         tokens_.keys_within(from, count),
                         tokens_.queries_within(from, count),
                         has_delta()};
    sweep<true>(
        chunk, state_,
        [this](int t, const Columns& part) {
          if (has_delta()) correct_value(t, part);
        },
        [](int, const Columns&) {});
    with_type(spec_.out_dtype, [&](auto zero) {
      auto* const out = static_cast<decltype(zero)*>(operands_.out) + begin_;
      for (int t = chunk.reads.begin; t < chunk.reads.end; ++t) {
        for (int64_t h = 0; h < group_; ++h) {
          store_row(chunk.out.of(t, h), width_, spec_.normalised ? *inverses.of(t, h) : spec_.scale, false,
                    out + tokens_.query_offset(spec_.out_stride, tokens_.query_of(from + t), h));
        }
      }
    });
  }

  void store_states() {
    if (spec_.has_final_state) {
      state_.store_rows(operands_.final_state + tokens_.state_offset(spec_.final_state_stride) + begin_,
                        spec_.final_state_stride[2], spec_.head_dim, false);
    }
    if (spec_.has_final_sum && begin_ == 0) {
      std::copy_n(carried(), spec_.head_dim,
                  operands_.final_sum + tokens_.state_offset(spec_.final_sum_stride));
    }
  }

  void pad() {
    if (spec_.packed) return;
    with_type(spec_.out_dtype, [&](auto zero) {
      auto* const out = static_cast<decltype(zero)*>(operands_.out) + begin_;
      for (int64_t i = work_.sequence.query_length; i < spec_.query_length; ++i) {
        for (int64_t h = 0; h < group_; ++h) {
          std::fill_n(out + tokens_.query_offset(spec_.out_stride, i, h), width_, decltype(zero){});
        }
      }
    });
  }

  const ForwardOperands& operands_;
};

}  // namespace fovea::linear::cpu::FOVEA_TIER
