// Items of the backward pass whose state has the columns of keys, and rows for the columns of values and
// for the sum of weights: dquery, dkey and gradients of decays.
//
// The gradient of key_decay needs neither state nor gradient of a state: with c = phi(query) dphi(query),
// M the gradient of the state and u what a key adds to it, N_j = S_j M_j, summed over the columns of
// values, is what the decays of j and all before give to, and
//
//   N_j = dkey_decay_(j+1) + c_j;  dkey_decay_j = N_j - phi(key_j) (M_j u_j + (a_j S_(j-1)) du_j)
//
// where the last term, with du the gradient of u times beta, is there with the delta rule alone.
#pragma once

#include "cpu/linear/backward_item.h"

namespace fovea::linear::cpu::FOVEA_TIER {

inline int64_t value_rows(const Spec& spec) { return spec.value_head_dim + (spec.normalised ? 1 : 0); }

// dquery, from the first token to the last.
class QueryItem : BackwardItem {
 public:
  QueryItem(const BackwardRun& run, const Work& work)
      : BackwardItem(run, work, value_rows(spec_of(run.plan))),
        heads_(group_ + (has_delta() ? 1 : 0)),
        slopes_(spec_.has_ddecay || spec_.has_dkey_decay) {}

  void run() {
    state_.clear();
    if (spec_.has_initial_state) {
      const int64_t stride = spec_.initial_state_stride[2];
      state_.load_transposed(inputs_.initial_state +
                                 tokens_.state_offset(spec_.initial_state_stride) + begin_ * stride,
                             stride, spec_.value_head_dim);
    }
    if (spec_.has_initial_sum) {
      state_.load_row_at(spec_.value_head_dim,
                         inputs_.initial_sum + tokens_.state_offset(spec_.initial_sum_stride) + begin_);
    }
    for_each_chunk([this](int64_t from, int count) { take(from, count); });
    pad();
  }

 private:
  void take(int64_t from, int count) {
    tokens_.load_keys(from, count, begin_, end_, keys());
    tokens_.load_queries(from, count, begin_, end_, queries());
    load_all_values(from, count);
    load_all_douts(from, count, douts(heads_));
    if (has_delta()) {
      load_key_rows(shared_.steps, spec_.value_head_dim, from, count, 0, spec_.value_head_dim,
                    douts(heads_));
    }
    if (has_decay()) tokens_.load_decays(from, count, begin_, end_, decays());
    const Span queries = tokens_.queries_within(from, count), keys = tokens_.keys_within(from, count);
    const Chunk chunk = {count,         column_decay(),
                         decays(),      1,
                         values(),      this->keys(),
                         douts(heads_), outs(heads_),
                         keys,          has_delta() ? Span{0, count} : queries,
                         has_delta()};
    sweep<true>(chunk, state_, [](int, const Columns&) {}, [](int, const Columns&) {});
    for (int t = keys.begin; t < keys.end && has_delta(); ++t) store_correction(from, t);
    for (int t = keys.begin; t < keys.end && slopes_; ++t) store_slope(from, t);
    with_type(spec_.gradient_dtype, [&](auto zero) {
      auto* const to = static_cast<decltype(zero)*>(operands_.dquery) + begin_;
      for (int t = queries.begin; t < queries.end; ++t) {
        for (int64_t h = 0; h < group_; ++h) {
          tokens_.unmap_features(this->queries().of(t, h), width_, chunk.out.of(t, h));
          store_row(chunk.out.of(t, h), width_, 1.0f, false,
                    to + tokens_.query_offset(spec_.dquery_stride, tokens_.query_of(from + t), h));
        }
      }
    });
  }

  // (a S_(j-1)) du: what S_j du is without its own key.
  void store_correction(int64_t from, int t) const {
    const float own =
        dot<float>(values().of(t), douts(heads_).of(t, group_), spec_.value_head_dim);
    float* const row = outs(heads_).of(t, group_);
    for (int64_t c = 0; c < width_; c += kLanes) {
      store(row + c, load(row + c) - load(keys().of(t) + c) * splat(own));
    }
    std::copy_n(row, width_, key_rows(shared_.corrections, spec_.head_dim, from + t) + begin_);
  }

  void store_slope(int64_t from, int t) const {
    for (int64_t c = 0; c < width_; c += kLanes) {
      vfloat sum = {};
      for (int64_t h = 0; h < group_ && tokens_.has_query(from + t); ++h) {
        sum += load(queries().of(t, h) + c) * load(outs(heads_).of(t, h) + c);
      }
      store(spare() + c, sum);
    }
    std::copy_n(spare(), width_, key_rows(shared_.slopes, spec_.head_dim, from + t) + begin_);
  }

  void pad() const {
    if (spec_.packed) return;
    with_type(spec_.gradient_dtype, [&](auto zero) {
      auto* const to = static_cast<decltype(zero)*>(operands_.dquery) + begin_;
      for (int64_t i = work_.sequence.query_length; i < spec_.query_length; ++i) {
        for (int64_t h = 0; h < group_; ++h) {
          std::fill_n(to + tokens_.query_offset(spec_.dquery_stride, i, h), width_, decltype(zero){});
        }
      }
    });
  }

  const int64_t heads_;  // reads of a token: its queries, and with the delta rule its key
  const bool slopes_;
};

// dkey, gradients of decays and dinitial_sum, from the last token to the first.
class KeyItem : BackwardItem {
 public:
  KeyItem(const BackwardRun& run, const Work& work)
      : BackwardItem(run, work, value_rows(spec_of(run.plan))),
        slopes_(spec_.has_ddecay || spec_.has_dkey_decay) {}

  void run() {
    state_.clear();
    start_decays();
    std::fill_n(carried(), layout_.key_row, 0.0f);
    for_each_chunk_back([this](int64_t from, int count) { take(from, count); });
    decay_last(column_decay(), 1);
    if (spec_.has_dinitial_sum) {
      state_.store_row_at(
          spec_.value_head_dim,
          operands_.dinitial_sum + tokens_.state_offset(spec_.dinitial_sum_stride) + begin_,
          spec_.accumulate);
    }
    pad_keys(operands_.dkey, spec_.dkey_stride);
    if (!spec_.has_dkey_decay || spec_.accumulate) return;
    for (int64_t j = work_.sequence.key_length; j < work_.sequence.key_rows; ++j) {
      std::fill_n(operands_.dkey_decay + tokens_.key_offset(spec_.dkey_decay_stride, j) + begin_, width_,
                  0.0f);
    }
  }

 private:
  void take(int64_t from, int count) {
    tokens_.load_keys(from, count, begin_, end_, keys());
    tokens_.load_queries(from, count, begin_, end_, queries());
    load_all_values(from, count);
    load_all_douts(from, count, douts(group_));
    if (has_decay()) load_decays_back(from, count, begin_, end_);
    const TokenRows outs = this->outs(1);
    if (has_delta()) {
      load_key_rows(shared_.steps, spec_.value_head_dim, from, count, 0, spec_.value_head_dim, errors());
    }
    const Chunk chunk = {count,
                         column_decay(),
                         decays_behind(),
                         1,
                         douts(group_),
                         queries(),
                         values(),
                         outs,
                         tokens_.queries_within(from, count),
                         tokens_.keys_within(from, count),
                         has_delta()};
    sweep<false>(
        chunk, state_, [](int, const Columns&) {},
        [&](int t, const Columns& part) {
          if (has_delta() && tokens_.has_key(from + t)) {
            subtract(errors().of(t), keys().of(t) + part.begin, part);
          }
        });
    with_type(spec_.gradient_dtype, [&](auto zero) {
      auto* const to = static_cast<decltype(zero)*>(operands_.dkey) + begin_;
      for (int t = chunk.reads.end - 1; t >= chunk.reads.begin; --t) {
        correct(from, t);
        tokens_.unmap_features(keys().of(t), width_, outs.of(t));
        store_row(outs.of(t), width_, 1.0f, spec_.accumulate,
                  to + tokens_.key_offset(spec_.dkey_stride, tokens_.key_of(from + t)));
      }
    });
  }

  // The parts of dkey and of the gradient of the decay that do not come from M u.
  void correct(int64_t from, int t) const {
    float* const dkey = outs(1).of(t);
    if (has_delta()) {
      load_row(key_rows(shared_.corrections, spec_.head_dim, from + t) + begin_, width_, 1.0f, spare());
    } else {
      std::fill_n(spare(), round_to_vectors(width_), 0.0f);
    }
    if (slopes_) add_slopes(from, t);
    for (int64_t c = 0; c < width_; c += kLanes) {
      store(dkey + c, load(dkey + c) - load(spare() + c));
    }
  }

  void add_slopes(int64_t from, int t) const {
    const float* const dkey = outs(1).of(t);
    float* const slopes = queries().of(t);  // no longer needed
    load_row(key_rows(shared_.slopes, spec_.head_dim, from + t) + begin_, width_, 1.0f, slopes);
    for (int64_t c = 0; c < width_; c += kLanes) {
      const vfloat both = load(dkey + c) + load(spare() + c);
      const vfloat sum = (load(carried() + c) + load(slopes + c)) - load(keys().of(t) + c) * both;
      store(carried() + c, sum);
      if (!spec_.has_ddecay) continue;
      float total = 0;
      for (int lane = 0; lane < kLanes; ++lane) total += sum[lane];
      add_to_block(shared_.decay_parts, spec_.head_dim, from + t, begin_ + c, total);
    }
    if (!spec_.has_dkey_decay) return;
    store_row(carried(), width_, 1.0f, spec_.accumulate,
              operands_.dkey_decay +
                  tokens_.key_offset(spec_.dkey_decay_stride, tokens_.key_of(from + t)) + begin_);
  }

  const bool slopes_;
};

}  // namespace fovea::linear::cpu::FOVEA_TIER
