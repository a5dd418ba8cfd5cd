// What items of the backward pass have alike: rows of the workspace, gradients of out as they reach a
// state, and decays in the other direction.
#pragma once

#include "cpu/linear/item.h"

namespace fovea::linear::cpu::FOVEA_TIER {

class BackwardItem : protected Item {
 protected:
  BackwardItem(const BackwardRun& run, const Work& work, int64_t rows)
      : Item(run.plan, run.operands, work, rows, run.scratch),
        operands_(run.operands),
        shared_(run.layout),
        workspace_(run.workspace) {}

  TokenRows douts(int64_t heads) const {
    return {scratch_ + layout_.douts, layout_.value_row, heads};
  }

  // Of a token with a key, in a part of the workspace.
  float* key_rows(int64_t part, int64_t columns, int64_t token) const {
    return workspace_ + part + tokens_.key_row(tokens_.key_of(token)) * columns;
  }
  void load_key_rows(int64_t part, int64_t columns, int64_t from, int count, int64_t begin, int64_t end,
                     const TokenRows& to) const {
    for (int t = 0; t < count; ++t) {
      float* const row = to.of(t, to.heads - 1);
      if (tokens_.has_key(from + t)) {
        load_row(key_rows(part, columns, from + t) + begin, end - begin, 1.0f, row);
      } else {
        std::fill_n(row, round_to_vectors(end - begin), 0.0f);
      }
    }
  }
  // To the sum of the block of a column, whose vectors come in their order.
  void add_to_block(int64_t part, int64_t columns, int64_t token, int64_t column, float sum) const {
    if (column >= columns) return;
    float& block = key_rows(part, blocks_of(columns), token)[column / kBlock];
    block = column % kBlock == 0 ? sum : block + sum;
  }

  // Gradients of a state's sums, columns [begin, end): dout, scaled, or divided by the sum of weights.
  void load_douts(int64_t from, int count, int64_t begin, int64_t end, const TokenRows& to) const {
    tokens_.load_query_rows(operands_.dout, spec_.out_dtype, spec_.dout_stride, begin, end,
                            spec_.normalised ? 1.0f : spec_.scale, from, count, to);
    if (!spec_.normalised) return;
    const Span there = tokens_.queries_within(from, count);
    for (int t = there.begin; t < there.end; ++t) {
      for (int64_t h = 0; h < group_; ++h) {
        const vfloat inverse = splat(workspace_[shared_.inverses + query_row(from + t, h)]);
        for (int64_t c = 0; c < end - begin; c += kLanes) {
          store(to.of(t, h) + c, load(to.of(t, h) + c) * inverse);
        }
      }
    }
  }
  // All columns, and where out is normalised that of its sum of weights behind them.
  void load_all_douts(int64_t from, int count, const TokenRows& to) const {
    load_douts(from, count, 0, spec_.value_head_dim, to);
    if (!spec_.normalised) return;
    for (int t = 0; t < count; ++t) {
      for (int64_t h = 0; h < group_; ++h) {
        to.of(t, h)[spec_.value_head_dim] =
            tokens_.has_query(from + t) ? -workspace_[shared_.shares + query_row(from + t, h)] : 0;
      }
    }
  }
  // What keys add to their state, all columns likewise.
  void load_all_values(int64_t from, int count) const {
    if (has_delta()) {
      tokens_.load_betas(from, count, betas());
      load_key_rows(shared_.errors, spec_.value_head_dim, from, count, 0, spec_.value_head_dim, values());
      for (int t = 0; t < count; ++t) {
        for (int64_t c = 0; c < spec_.value_head_dim; c += kLanes) {
          store(values().of(t) + c, load(values().of(t) + c) * splat(betas()[t]));
        }
      }
      return;
    }
    tokens_.load_values(from, count, 0, spec_.value_head_dim, values());
    for (int t = 0; t < count && spec_.normalised; ++t) {
      values().of(t)[spec_.value_head_dim] = tokens_.has_key(from + t) ? 1 : 0;
    }
  }

  // In this direction the decay of a token comes before the updates of the one in front of it: rows of
  // decays() are those of the tokens, and behind them that of the chunk before.
  void start_decays() const { std::fill_n(decays().of(0), layout_.key_row, 1.0f); }
  void load_decays_back(int64_t from, int count, int64_t begin, int64_t end) const {
    std::copy_n(decays().of(0), layout_.key_row, decays().of(count));
    tokens_.load_decays(from, count, begin, end, decays());
  }
  TokenRows decays_behind() const { return {decays().of(1), layout_.key_row}; }
  // That of the first token.
  void decay_last(Decay decay, int64_t step) const {
    if (decay == Decay::kNone) return;
    state_.for_each_panel([&](const Columns& part) {
      Pass p = {};
      p.rows = state_.rows();
      p.state = part.at;
      p.decay = decays().of(0) + (decay == Decay::kColumns ? part.begin : 0);
      p.decay_step = step;
      pass<false, false>(part.vectors, decay, p);
    });
  }

  // Padding keys have a gradient of zero.
  void pad_keys(void* gradient, const int64_t (&stride)[3]) const {
    if (spec_.accumulate) return;
    with_type(spec_.gradient_dtype, [&](auto zero) {
      auto* const to = static_cast<decltype(zero)*>(gradient) + begin_;
      for (int64_t j = work_.sequence.key_length; j < work_.sequence.key_rows; ++j) {
        std::fill_n(to + tokens_.key_offset(stride, j), width_, decltype(zero){});
      }
    });
  }

  const BackwardOperands& operands_;
  const Workspace& shared_;
  float* const workspace_;

 private:
  int64_t query_row(int64_t token, int64_t head) const {
    return tokens_.query_row(tokens_.query_of(token), head);
  }
};

}  // namespace fovea::linear::cpu::FOVEA_TIER
