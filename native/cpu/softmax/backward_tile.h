// A tile of query rows against a tile of keys: its weights P and the gradients dS of its scores,
// the keys in the SIMD lanes.
//
//   P = exp2(S - lse);  dP = dO V^T;  dS = P (dP - delta)
//
// S, in units of log2, is what `Scores` computes. The rows of dO are scaled, as they are loaded, by what
// dropout scales a kept weight with. What is masked has P = dS = 0, whatever dP is.
#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/dropout.h"
#include "cpu/pair_rows.h"
#include "cpu/softmax/backward_layout.h"
#include "cpu/softmax/work.h"

namespace fovea::cpu::FOVEA_TIER {

// The keys and rows of a tile, and what is visible of each other.
class TileSpans {
 protected:
  Span keys_within(int64_t low, int64_t high) const {
    return {int(std::clamp<int64_t>(low - key_, 0, keys_)),
            int(std::clamp<int64_t>(high - key_, 0, keys_))};
  }

  // Whether every row sees every key.
  template <typename Rows>
  bool is_clear(const Rows& rows) const {
    return rows.low(row_ + rows_ - 1) <= key_ && rows.high(row_) >= key_ + keys_;
  }

  template <typename Rows>
  void find_spans(const Rows& rows, bool clear) {
    for (int r = 0; r < rows_; r += kBlockRows) {
      const int64_t first = row_ + r, last = row_ + std::min(r + kBlockRows, rows_) - 1;
      row_spans_[r / kBlockRows] =
          clear ? Span{0, keys_} : keys_within(rows.low(first), rows.high(last));
    }
    const auto within = [this](int64_t row) {
      return int(std::clamp<int64_t>(row - row_, 0, rows_));
    };
    for (int k = 0; k < keys_; k += kBlockRows) {
      const int64_t first = key_ + k, last = key_ + std::min(k + kBlockRows, keys_) - 1;
      key_spans_[k / kBlockRows] =
          clear ? Span{0, rows_} : Span{within(rows.row_low(first)), within(rows.row_high(last))};
    }
  }

  int64_t key_ = 0, row_ = 0;
  int keys_ = 0, rows_ = 0;
  // By blocks of kBlockRows rows, and of as many keys.
  Span row_spans_[(kMostTileRows + kBlockRows - 1) / kBlockRows];
  Span key_spans_[(kMostTileKeys + kBlockRows - 1) / kBlockRows];
};

// Rows [row, row + rows) and keys [key, key + keys).
struct Tile {
  int64_t row;
  int rows;
  int64_t key;
  int keys;
};

// `Scores` is the rows of a sequence (rows.h), and what an operation makes of them and of keys:
//   load_keys(j, count), load_queries(row, count)    takes them
//   compute(tile of rows and keys, spans, S)         S of the keys that each block of rows sees, perhaps
//                                                    before it is modified
//   is_plain(tile), row_modifiers(...), modify(...)  what is done to S after that, if anything: to a row at once, and
//                                                    to a vector of it
//   slope(...)                                       what a gradient is multiplied by for what was done at once
//   refit(r, k, seen, P, dP, kept, dS)               makes other weights and dS of these, of keys from k on
//   gather(...)                                      takes dS, and that without slope
//   gate_douts(row, count, rows)                     what else dO is multiplied by
//   key_gates(head), gather_gated(...)               what weights of the tile's keys are multiplied by, null for
//                                                    nothing, and takes weights before that times dP
//   kRowSums                                         how many sums over the keys of a row are made of dS
//   start_statistics(...)                            what joins a row's sum beside its keys
template <typename Scores>
class BackwardTile : public Scores, TileSpans {
  using Scores::batch_, Scores::layout_, Scores::run_, Scores::shift_, Scores::spec_;

 public:
  using Op = typename Scores::Op;
  using Scores::kRowSums;

  BackwardTile(const BackwardRun<Op>& run, const BackwardWork& work)
      : Scores(run, work),
        lse_(run.workspace + run.workspace_layout.lse + work.first_row),
        rest_(run.workspace + run.workspace_layout.rest + work.first_row),
        delta_(run.workspace + run.workspace_layout.delta + work.first_row),
        threshold_(spec_.dropout > 0 ? dropout_threshold(spec_.dropout) : 0) {}

  // What the worker has of the tile, each row on a boundary of vectors.
  Panel<const float> douts() const {
    if constexpr (kPairs) return {run_.scratch + layout_.joined_douts, layout_.value_row};
    return {run_.scratch + layout_.douts, layout_.value_row};
  }
  // P, without what dropout dropped; until weigh() is through, S.
  Panel<float> weights() const { return {run_.scratch + layout_.weights, layout_.key_row}; }
  // dS; until weigh() is through, dP.
  Panel<float> gradients() const { return {run_.scratch + layout_.gradients, layout_.key_row}; }
  // Both transposed, and dS, as factors.
  Factor weights_by_keys() const {
    if constexpr (kTiles) return {run_.scratch + layout_.joined_weights, layout_.pair_row, 1};
    if constexpr (kPairs) return {run_.scratch + layout_.joined_weights, 1, layout_.key_row};
    return {weights().at, 1, weights().row};
  }
  Factor gradients_by_keys() const {
    if constexpr (kTiles) return {run_.scratch + layout_.joined_gradients, layout_.pair_row, 1};
    if constexpr (kPairs) return {run_.scratch + layout_.joined_gradients, 1, layout_.key_row};
    return {gradients().at, 1, gradients().row};
  }
  Factor gradients_by_rows() const {
    if constexpr (kPairs) return {run_.scratch + layout_.gradient_rows, layout_.key_row, 1};
    return {gradients().at, gradients().row, 1};
  }

  // For each block of rows the keys that it sees, and the other way round.
  const Span* row_spans() const { return row_spans_; }
  const Span* key_spans() const { return key_spans_; }

  // Takes keys [j, j + count).
  void load_keys(int64_t j, int count) {
    key_ = j;
    keys_ = count;
    Scores::load_keys(j, count);
    with_type(spec_.dtype, [&](auto zero) {
      const auto* value = static_cast<const decltype(zero)*>(run_.operands.value) +
                          this->key_offset(spec_.value_stride, j);
      pack_steps(value, spec_.value_stride[1], count, spec_.value_head_dim,
                 run_.scratch + layout_.transposed_values, layout_.key_row);
    });
  }

  // Takes rows [begin, begin + count), or of these query alone.
  void load_queries(int64_t begin, int count) {
    row_ = begin;
    rows_ = count;
    Scores::load_queries(begin, count);
  }
  void load_rows(int64_t begin, int count) {
    load_queries(begin, count);
    float* const to = run_.scratch + layout_.douts;
#if defined(__AVX512BF16__)
    const auto is_dead = [&](int64_t row) { return lse_[row] == kInfinity; };
    load_pair_rows(*this, run_.operands.dout, spec_.dout_stride, begin, count, spec_.value_head_dim, is_dead,
                   {to, layout_.value_row}, {run_.scratch + layout_.joined_douts, layout_.value_row});
#else
    with_type(spec_.out_dtype, [&](auto zero) {
      Scores::load_rows(static_cast<const decltype(zero)*>(run_.operands.dout), spec_.dout_stride,
                        begin, count, spec_.value_head_dim, dropout_scale(threshold_), to,
                        layout_.value_row);
    });
    this->gate_douts(begin, count, {to, layout_.value_row});
    // Rows that see nothing add nothing, whatever their dout.
    for (int r = 0; r < count; ++r) {
      if (lse_[begin + r] == kInfinity)
        std::fill_n(to + r * layout_.value_row, layout_.value_row, 0.0f);
    }
#endif
  }

  // Joins the keys it has to what is known of the rows it has, in units of log2: the maximum of a row's
  // scores, and the sum of their powers of two above that.
  void join_statistics(float* maximum, double* sums) {
    compute();
    if constexpr (kPairs) scale_scores();
    this->for_each_row(row_, row_ + rows_, [&](int64_t row, int64_t i, int64_t head) {
      const Span seen = seen_by(i);
      if (seen.begin >= seen.end) return;
      const int begin = seen.begin / kLanes * kLanes;
      float* const s = weights().at + (row - row_) * weights().row;
      const auto modifiers = this->row_modifiers(i, head, key_, begin, seen.end, s);
      float& top = maximum[row - row_];
      double& sum = sums[row - row_];
      for (int k = begin; k < seen.end; k += kLanes) {
        vfloat tanh{}, toward[kRowSums + 1]{};
        store(s + k, this->modify(modifiers, k, load(s + k), tanh, toward));
      }
      const float highest = *std::max_element(s + seen.begin, s + seen.end);
      if (highest > top) {
        sum *= std::exp2(double(top) - double(highest));
        top = highest;
      }
      if (top == -kInfinity) return;
      for (int k = seen.begin; k < seen.end; ++k) sum += std::exp2(double(s[k]) - double(top));
    });
  }

  // Keys of the tile that a query sees.
  Span seen_by(int64_t i) const {
    return keys_within(this->low_at(i + shift_), this->high_at(i + shift_));
  }

  // Leaves S in weights(); answers whether every row sees every key.
  bool compute() {
    const bool clear = is_clear(*this);
    find_spans(*this, clear);
    Scores::compute({row_, rows_, key_, keys_}, row_spans_, weights());
    return clear;
  }
  // And dP in gradients().
  bool compute_pairs() {
    const bool clear = compute();
    multiply({run_.scratch + layout_.douts, layout_.value_row, 1},
             {run_.scratch + layout_.transposed_values, layout_.key_row}, rows_, keys_,
             int(spec_.value_head_dim) / Product::kTerms, row_spans_, gradients());
    return clear;
  }

  // What dropout keeps of a row of query i: a mask of the tile's keys, null for all.
  const int32_t* draw_kept_keys(int64_t i, int64_t head) const {
    if (threshold_ == 0) return nullptr;
    int32_t* const kept = reinterpret_cast<int32_t*>(run_.scratch + layout_.kept);
    draw_kept<kMostTileKeys>(run_.call, threshold_, i, batch_ * spec_.query_heads + head, key_,
                             keys_, kept);
    return kept;
  }

  // Leaves P and dS of the rows and keys it has. dS is that of what was computed, or with
  // `after_softcap` that of what softcap made of it. Adds to row_sums[s][row], where that is not null, its
  // sum of dS times what modify() answers.
  void weigh(bool after_softcap, float* const* row_sums) {
    const bool clear = compute_pairs();
    const bool plain = threshold_ == 0 && this->is_plain({row_, rows_, key_, keys_});
    if constexpr (kPairs) scale_scores();
    this->for_each_row(row_, row_ + rows_, [&](int64_t row, int64_t i, int64_t head) {
      const Span seen = clear ? Span{0, keys_} : seen_by(i);
      if (plain) {
        weigh_row<true>(int(row - row_), i, head, seen, after_softcap, row_sums);
      } else {
        weigh_row<false>(int(row - row_), i, head, seen, after_softcap, row_sums);
      }
    });
#if defined(FOVEA_TILES)
    join_columns(weights(), rows_, keys_, {run_.scratch + layout_.joined_weights, layout_.pair_row});
    join_columns(gradients(), rows_, keys_, {run_.scratch + layout_.joined_gradients, layout_.pair_row});
    round_rows(gradients(), rows_, keys_, {run_.scratch + layout_.gradient_rows, layout_.key_row});
#elif defined(__AVX512BF16__)
    join_rows(weights(), rows_, keys_, {run_.scratch + layout_.joined_weights, layout_.key_row});
    join_rows(gradients(), rows_, keys_, {run_.scratch + layout_.joined_gradients, layout_.key_row});
    round_rows(gradients(), rows_, keys_, {run_.scratch + layout_.gradient_rows, layout_.key_row});
#endif
  }

 private:
  // Of queries that were not.
  void scale_scores() const {
    const vfloat scale = splat(this->query_scale());
    for (int r = 0; r < rows_; ++r) {
      float* const s = weights().at + r * weights().row;
      const Span& span = row_spans_[r / kBlockRows];
      for (int64_t k = span.begin / kLanes * kLanes; k < span.end; k += kLanes) store(s + k, load(s + k) * scale);
    }
  }

  // From S and dP of row r, query i and head, to P and dS.
  template <bool kPlain>
  [[gnu::noinline]] void weigh_row(int r, int64_t i, int64_t head, Span seen, bool after_softcap,
                                   float* const* row_sums) {
    float* p = weights().at + r * weights().row;
    float* ds = gradients().at + r * gradients().row;
    const bool any = seen.begin < seen.end;
    const int begin = any ? seen.begin / kLanes * kLanes : 0;
    const int end = any ? int(round_to_vectors(seen.end)) : 0;
    for (float* x : {p, ds}) {
      std::fill(x, x + begin, 0.0f);
      std::fill(x + end, x + round_to_vectors(keys_), 0.0f);
    }
    const vfloat lse = splat(lse_[row_ + r]), rest = splat(rest_[row_ + r]);
    const vfloat delta = splat(delta_[row_ + r]);
    const int32_t* kept = nullptr;
    typename Scores::RowModifiers modifiers;
    vfloat sums[kRowSums + 1]{};
    const float* gates = nullptr;
    if constexpr (!kPlain) {
      if (!any) return;
      gates = this->key_gates(head);
      modifiers = this->row_modifiers(i, head, key_, begin, seen.end, p);
      kept = draw_kept_keys(i, head);
    }
    for (int k = begin; k < end; k += kLanes) {
      vfloat x = load(p + k), g = load(ds + k);
      vfloat derivative = splat(1.0f), slope = splat(1.0f), toward[kRowSums + 1]{};
      if constexpr (!kPlain) {
        vfloat tanh{};
        x = this->modify(modifiers, k, x, tanh, toward);
        derivative -= tanh * tanh;
        slope = this->slope(modifiers, k);
      }
      // No weight is above 1, but x and an lse that is given, rounded apart, may differ by more than
      // exp2 takes.
      vfloat w = exp2(min(splat(0.0f), x - lse - rest)), w_kept = w, gated{};
      if constexpr (!kPlain) {
        if (kept != nullptr) {
          const vint keep = load(kept + k);
          w_kept = from_bits(bits(w) & keep);
          g = from_bits(bits(g) & keep);
        }
        if (gates != nullptr) {
          const vfloat gate = load(gates + k);
          gated = w_kept * g;
          w_kept *= gate;
          g *= gate;
        }
      }
      vfloat t = w * (g - delta);
      if constexpr (!kPlain) this->refit(r, k, seen, w, g, w_kept, t);
      vfloat t_before = t * derivative, t_scores = t_before * slope;
      if constexpr (!kPlain) {  // whatever the key's value is
        const vint hidden = x == splat(-kInfinity);
        w_kept = select(hidden, vfloat{}, w_kept);
        t = select(hidden, vfloat{}, t);
        t_before = select(hidden, vfloat{}, t_before);
        t_scores = select(hidden, vfloat{}, t_scores);
        gated = select(hidden, vfloat{}, gated);
      }
      if (k < seen.begin || k + kLanes > seen.end) {
        const vint key = splat(int32_t(k)) + lane_numbers();
        const vint mask = (key >= splat(int32_t(seen.begin))) & (key < splat(int32_t(seen.end)));
        w_kept = select(mask, w_kept, vfloat{});
        t = select(mask, t, vfloat{});
        t_before = select(mask, t_before, vfloat{});
        t_scores = select(mask, t_scores, vfloat{});
        gated = select(mask, gated, vfloat{});
      }
      store(p + k, w_kept);
      store(ds + k, after_softcap ? t : t_scores);
      if constexpr (!kPlain) {
        this->gather(modifiers, head, k, t, t_before);
        if (gates != nullptr) this->gather_gated(head, key_ + k, gated);
        for (int s = 0; s < kRowSums; ++s) {
          if (row_sums[s] != nullptr) sums[s] += t * toward[s];
        }
      }
    }
    if constexpr (!kPlain) {
      for (int s = 0; s < kRowSums; ++s) {
        if (row_sums[s] == nullptr) continue;
        for (int lane = 0; lane < kLanes; ++lane) row_sums[s][row_ + r] += sums[s][lane];
      }
    }
  }

  const float* const lse_;
  const float* const rest_;
  const float* const delta_;
  const uint32_t threshold_;
};

}  // namespace fovea::cpu::FOVEA_TIER
