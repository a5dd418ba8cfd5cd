// What items of both passes have alike: a part of the columns of a state, its tokens and their rows.
#pragma once

#include "cpu/linear/kernels.h"
#include "cpu/linear/sweep.h"

namespace fovea::linear::cpu::FOVEA_TIER {

class Item {
 protected:
  // A state of `rows` rows, of whose columns the item has its part.
  Item(const fovea_plan& plan, const Inputs& inputs, const Work& work, int64_t rows, float* scratch)
      : spec_(spec_of(plan)),
        inputs_(inputs),
        work_(work),
        layout_(spec_, state_columns(plan)),
        scratch_(scratch),
        tokens_(spec_, inputs, work.sequence, work.batch, work.key_head),
        group_(tokens_.group()),
        most_(chunk_tokens(spec_)),
        begin_(work.begin),
        end_(work.end),
        width_(work.end - work.begin),
        state_(scratch + layout_.state, rows, work.end - work.begin) {}

  // Calls body(first token, count) for the chunks.
  template <typename Body>
  void for_each_chunk(Body body) const {
    for (int64_t from = 0; from < tokens_.count(); from += most_) {
      body(from, int(std::min<int64_t>(most_, tokens_.count() - from)));
    }
  }
  template <typename Body>
  void for_each_chunk_back(Body body) const {
    for (int64_t end = tokens_.count(); end > 0;) {
      const int64_t from = (end - 1) / most_ * most_;
      body(from, int(end - from));
      end = from;
    }
  }

  TokenRows keys() const { return {scratch_ + layout_.keys, layout_.key_row}; }
  TokenRows queries() const { return {scratch_ + layout_.queries, layout_.key_row, group_}; }
  TokenRows values() const { return {scratch_ + layout_.values, layout_.value_row}; }
  TokenRows errors() const { return {scratch_ + layout_.errors, layout_.value_row}; }
  TokenRows decays() const { return {scratch_ + layout_.decays, layout_.key_row}; }
  TokenRows decayed() const { return {scratch_ + layout_.decayed, layout_.key_row}; }
  TokenRows outs(int64_t heads) const {
    return {scratch_ + layout_.outs, std::max(layout_.key_row, layout_.value_row), heads};
  }
  float* betas() const { return scratch_ + layout_.betas; }
  float* spare() const { return scratch_ + layout_.spare; }
  float* carried() const { return scratch_ + layout_.carried; }

  bool has_decay() const { return linear::has_decay(spec_); }
  bool has_delta() const { return linear::has_delta(spec_); }
  // Of a state whose rows are those of keys.
  Decay row_decay() const { return has_decay() ? Decay::kRows : Decay::kNone; }
  Decay column_decay() const { return has_decay() ? Decay::kColumns : Decay::kNone; }
  int64_t decay_step() const { return spec_.key_decay_dtype != 0; }

  // Decays of whole rows, of the state's rows, or one for all of these.
  void load_row_decays(int64_t from, int count) const {
    if (!has_decay()) return;
    tokens_.load_decays(from, count, 0, decay_step() * spec_.head_dim, decays());
  }

  // With the delta rule: keys times their decays, by which a token reads the state before its step.
  void decay_keys(int count) const {
    for (int t = 0; t < count; ++t) {
      for (int64_t d = 0; d < layout_.key_row; d += kLanes) {
        const vfloat key = load(keys().of(t) + d);
        const vfloat decay = !has_decay() ? splat(1.0f)
                             : decay_step() != 0 ? load(decays().of(t) + d)
                                                 : broadcast(decays().of(t));
        store(decayed().of(t) + d, key * decay);
      }
    }
  }

  // What of a value the state did not hold for its key becomes, times beta, what is added to it.
  void correct_value(int t, const Columns& part) const {
    Pass p = {};
    p.rows = state_.rows();
    p.state = part.at;
    p.w = decayed().of(t);
    p.out = spare();
    pass<false, true>(part.vectors, Decay::kNone, p);
    const vfloat beta = splat(betas()[t]);
    for (int64_t c = 0; c < int64_t{part.vectors} * kLanes; c += kLanes) {
      float* const value = values().of(t) + part.begin + c;
      const vfloat error = load(value) - load(spare() + c);
      store(errors().of(t) + part.begin + c, error);
      store(value, beta * error);
    }
  }

  // state -= x y^T of a panel; y is at its first column.
  void subtract(const float* x, const float* y, const Columns& part) const {
    for (int64_t c = 0; c < int64_t{part.vectors} * kLanes; c += kLanes) {
      store(spare() + c, -load(y + c));
    }
    Pass p = {};
    p.rows = state_.rows();
    p.state = part.at;
    p.x = x;
    p.y = spare();
    pass<true, false>(part.vectors, Decay::kNone, p);
  }

  void load_initial_state() const {
    state_.clear();
    if (!spec_.has_initial_state) return;
    state_.load_rows(inputs_.initial_state + tokens_.state_offset(spec_.initial_state_stride) + begin_,
                     spec_.initial_state_stride[2], spec_.head_dim);
  }

  // z, of all columns.
  void load_initial_sum() const {
    std::fill_n(carried(), layout_.key_row, 0.0f);
    if (!spec_.has_initial_sum) return;
    load_row(inputs_.initial_sum + tokens_.state_offset(spec_.initial_sum_stride), spec_.head_dim, 1.0f,
             carried());
  }

  // Takes z from token to token; calls body(token, head, 1 / phi(query)^T z), or 0 where that is 0.
  template <typename Body>
  void sum_weights(int64_t from, int count, Body body) const {
    for (int t = 0; t < count; ++t) {
      if (tokens_.has_key(from + t)) {
        for (int64_t d = 0; d < layout_.key_row; d += kLanes) {
          const vfloat decay = !has_decay() ? splat(1.0f)
                               : decay_step() != 0 ? load(decays().of(t) + d)
                                                   : broadcast(decays().of(t));
          store(carried() + d, load(carried() + d) * decay + load(keys().of(t) + d));
        }
      }
      for (int64_t h = 0; h < group_ && tokens_.has_query(from + t); ++h) {
        const float sum = dot<float>(queries().of(t, h), carried(), spec_.head_dim);
        body(t, h, sum == 0 ? 0.0f : 1 / sum);
      }
    }
  }

  const Spec& spec_;
  const Inputs& inputs_;
  const Work& work_;
  const Scratch layout_;
  float* const scratch_;
  const Tokens tokens_;
  const int64_t group_;
  const int most_;
  const int64_t begin_, end_, width_;
  const State state_;
};

}  // namespace fovea::linear::cpu::FOVEA_TIER
