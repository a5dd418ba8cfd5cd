// A tile of query rows against a tile of keys: its weights P and the gradients dS of its scores,
// the keys in the SIMD lanes.
//
//   S = Q K^T;  P = exp2(S - lse);  dP = dO V^T;  dS = P (dP - delta)
//
// S is in units of log2: the rows of Q are scaled as they are loaded, those of dO by what dropout
// scales a kept weight with. What is masked has P = dS = 0, whatever dP is.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/philox.h"
#include "cpu/attention/kernels.h"
#include "cpu/attention/score_modifier.h"
#include "cpu/product.h"

namespace fovea::attention::cpu::FOVEA_TIER {

class BackwardTile : public AttentionRows {
 public:
  BackwardTile(const BackwardRun& run, const BackwardWork& work)
      : AttentionRows(spec_of(run.plan), work.sequence, work.batch, work.key_head),
        run_(run),
        layout_(run.scratch_layout),
        lse_(run.workspace + run.workspace_layout.lse + work.first_row),
        rest_(run.workspace + run.workspace_layout.rest + work.first_row),
        delta_(run.workspace + run.workspace_layout.delta + work.first_row),
        threshold_(spec_.dropout > 0 ? dropout_threshold(spec_.dropout) : 0),
        modifier_(*this, run.operands),
        plain_(!modifier_.is_active() && threshold_ == 0) {}

  // What the worker has of the tile, each row on a boundary of vectors.
  Panel<const float> queries() const { return {scratch(layout_.queries), layout_.query_row}; }
  Panel<const float> douts() const { return {scratch(layout_.douts), layout_.value_row}; }
  // P, without what dropout dropped; until weigh() is through, S.
  Panel<float> weights() const { return {scratch(layout_.weights), layout_.key_row}; }
  // dS; until weigh() is through, dP.
  Panel<float> gradients() const { return {scratch(layout_.gradients), layout_.key_row}; }

  // For each block of rows the keys that it sees, and the other way round.
  const Span* row_spans() const { return row_spans_; }
  const Span* key_spans() const { return key_spans_; }

  // Takes keys [j, j + count).
  void load_keys(int64_t j, int count) {
    key_ = j;
    keys_ = count;
    with_type(spec_.dtype, [&](auto zero) {
      using T = decltype(zero);
      const T* key = static_cast<const T*>(run_.operands.key) + key_offset(spec_.key_stride, j);
      const T* value =
          static_cast<const T*>(run_.operands.value) + key_offset(spec_.value_stride, j);
      pack_columns(key, spec_.key_stride[1], count, spec_.head_dim,
                   scratch(layout_.transposed_keys), layout_.key_row);
      pack_columns(value, spec_.value_stride[1], count, spec_.value_head_dim,
                   scratch(layout_.transposed_values), layout_.key_row);
    });
  }

  // Takes rows [begin, begin + count), or of these query alone.
  void load_queries(int64_t begin, int count) {
    row_ = begin;
    rows_ = count;
    with_type(spec_.dtype, [&](auto zero) {
      load_rows(static_cast<const decltype(zero)*>(run_.operands.query), spec_.query_stride,
                spec_.head_dim, modifier_.query_scale(), scratch(layout_.queries), layout_.query_row);
    });
  }
  void load_rows(int64_t begin, int count) {
    load_queries(begin, count);
    with_type(spec_.out_dtype, [&](auto zero) {
      load_rows(static_cast<const decltype(zero)*>(run_.operands.dout),
                spec_of(run_.plan).dout_stride, spec_.value_head_dim, dropout_scale(threshold_),
                scratch(layout_.douts), layout_.value_row);
    });
    // Rows that see nothing add nothing, whatever their dout.
    for (int r = 0; r < count; ++r) {
      if (lse_[begin + r] != kInfinity) continue;
      std::fill_n(scratch(layout_.douts) + r * layout_.value_row, layout_.value_row, 0.0f);
    }
  }

  // Joins the keys it has to what is known of the rows it has, in units of log2: the maximum of a row's
  // scores, and the sum of their powers of two above that.
  void join_statistics(float* maximum, double* sums) {
    const bool clear = low(row_ + rows_ - 1) <= key_ && high(row_) >= key_ + keys_;
    find_spans(clear);
    multiply({queries().at, queries().row, 1}, {scratch(layout_.transposed_keys), layout_.key_row},
             rows_, keys_, int(spec_.head_dim), row_spans_, weights());
    for_each_row(row_, row_ + rows_, [&](int64_t row, int64_t i, int64_t head) {
      const Span seen = in_tile(low_at(i + shift_), high_at(i + shift_));
      if (seen.begin >= seen.end) return;
      const int begin = seen.begin / kLanes * kLanes;
      const ScoreModifier::Row modifier = row_modifier(i, head, begin, seen.end);
      float* const s = weights().at + (row - row_) * weights().row;
      float& top = maximum[row - row_];
      double& sum = sums[row - row_];
      for (int k = begin; k < seen.end; k += kLanes) {
        vfloat tanh{}, toward{};
        store(s + k, modifier_.apply_row(modifier, k, load(s + k), tanh, toward));
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

  // Leaves P and dS of the rows and keys it has. dS is that of Q K^T, or with `after_softcap` that
  // of what softcap made of it. Adds to distances[row] its sum of dS times ALiBi's distance.
  void weigh(bool after_softcap, float* distances) {
    const bool clear = low(row_ + rows_ - 1) <= key_ && high(row_) >= key_ + keys_;
    find_spans(clear);
    multiply({queries().at, queries().row, 1}, {scratch(layout_.transposed_keys), layout_.key_row},
             rows_, keys_, int(spec_.head_dim), row_spans_, weights());
    multiply({douts().at, douts().row, 1}, {scratch(layout_.transposed_values), layout_.key_row},
             rows_, keys_, int(spec_.value_head_dim), row_spans_, gradients());
    for_each_row(row_, row_ + rows_, [&](int64_t row, int64_t i, int64_t head) {
      const Span seen = clear ? Span{0, keys_} : in_tile(low_at(i + shift_), high_at(i + shift_));
      if (plain_) {
        weigh_row<true>(int(row - row_), i, head, seen, after_softcap, nullptr);
      } else {
        weigh_row<false>(int(row - row_), i, head, seen, after_softcap, distances);
      }
    });
  }

 private:
  float* scratch(int64_t at) const { return run_.scratch + at; }

  template <typename T>
  void load_rows(const T* from, const int64_t (&stride)[3], int64_t columns, float scale, float* to,
                 int64_t to_row) {
    // Of the next tile, too.
    const int64_t end = sequence_.query_length * group_;
    for_each_row(row_, row_ + rows_, [&](int64_t row, int64_t i, int64_t head) {
      if (row + kRowsAhead < end) {
        prefetch_row(from + query_offset(stride, row + kRowsAhead), columns);
      }
      load_row(from + query_offset(stride, i, head), columns, scale, to);
      to += to_row;
    });
  }

  Span in_tile(int64_t low, int64_t high) const {
    return {int(std::clamp<int64_t>(low - key_, 0, keys_)),
            int(std::clamp<int64_t>(high - key_, 0, keys_))};
  }

  void find_spans(bool clear) {
    for (int r = 0; r < rows_; r += kBlockRows) {
      const int64_t first = row_ + r, last = row_ + std::min(r + kBlockRows, rows_) - 1;
      row_spans_[r / kBlockRows] = clear ? Span{0, keys_} : in_tile(low(first), high(last));
    }
    const auto row_in_tile = [this](int64_t row) {
      return int(std::clamp<int64_t>(row - row_, 0, rows_));
    };
    for (int k = 0; k < keys_; k += kBlockRows) {
      const int64_t first = key_ + k, last = key_ + std::min(k + kBlockRows, keys_) - 1;
      key_spans_[k / kBlockRows] =
          clear ? Span{0, rows_} : Span{row_in_tile(row_low(first)), row_in_tile(row_high(last))};
    }
  }

  // From S and dP of row r, query i and head, to P and dS.
  template <bool kPlain>
  [[gnu::noinline]] void weigh_row(int r, int64_t i, int64_t head, Span seen, bool after_softcap,
                                   float* distances) {
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
    int32_t* const kept = reinterpret_cast<int32_t*>(scratch(layout_.kept));
    ScoreModifier::Row modifier;
    vfloat sum{};
    if constexpr (!kPlain) {
      if (!any) return;
      modifier = row_modifier(i, head, begin, seen.end);
      if (threshold_ > 0) draw(i, head, kept);
    }
    for (int k = begin; k < end; k += kLanes) {
      vfloat x = load(p + k), g = load(ds + k);
      vfloat derivative = splat(1.0f), toward{};
      if constexpr (!kPlain) {
        vfloat tanh{};
        x = modifier_.apply_row(modifier, k, x, tanh, toward);
        if (!after_softcap) derivative -= tanh * tanh;
      }
      // No weight is above 1, but x and an lse that is given, rounded apart, may differ by more than
      // exp2 takes.
      vfloat w = exp2(min(splat(0.0f), x - lse - rest)), w_kept = w;
      if constexpr (!kPlain) {
        if (threshold_ > 0) {
          const vint keep = load(kept + k);
          w_kept = from_bits(bits(w) & keep);
          g = from_bits(bits(g) & keep);
        }
      }
      const vfloat t = w * (g - delta);
      vfloat t_toward = t * toward, t_scores = t * derivative;
      if (k < seen.begin || k + kLanes > seen.end) {
        const vint key = splat(int32_t(k)) + lane_numbers();
        const vint mask = (key >= splat(int32_t(seen.begin))) & (key < splat(int32_t(seen.end)));
        w_kept = select(mask, w_kept, vfloat{});
        t_toward = select(mask, t_toward, vfloat{});
        t_scores = select(mask, t_scores, vfloat{});
      }
      store(p + k, w_kept);
      store(ds + k, t_scores);
      sum += t_toward;
    }
    if constexpr (!kPlain) {
      if (distances == nullptr) return;
      for (int lane = 0; lane < kLanes; ++lane) distances[row_ + r] += sum[lane];
    }
  }

  ScoreModifier::Row row_modifier(int64_t i, int64_t head, int begin, int end) const {
    return modifier_.row(i, head, key_, begin, end, scratch(layout_.bias));
  }

  // All bits of kept[k] are set where key k of the tile is kept; see fovea.h. A tile starts at a
  // multiple of 32 keys, the span of four calls of the generator.
  void draw(int64_t i, int64_t head, int32_t* kept) const {
    constexpr int kCalls = kMostTileKeys / 8;
    uint32_t x[4][kCalls];
    for (int call = 0; call < kCalls; ++call) {
      x[0][call] = uint32_t(key_ / 8 + call);
      x[1][call] = uint32_t(i);
      x[2][call] = uint32_t(batch_ * spec_.query_heads + head);
      x[3][call] = run_.call.dropout_offset;
    }
    philox4x32_10(x, run_.call.dropout_seed);
    // Word w of a span's four calls holds, half after half, its keys 8 w to 8 w + 7.
    uint16_t draws[kMostTileKeys];
    for (int n = 0; n < kCalls; ++n) std::memcpy(draws + n * 8, &x[n % 4][n / 4 * 4], 16);
    for (int k = 0; k < keys_; ++k) kept[k] = draws[k] < threshold_ ? 0 : -1;
  }

  const BackwardRun& run_;
  const BackwardScratch& layout_;
  const float* const lse_;
  const float* const rest_;
  const float* const delta_;
  const uint32_t threshold_;
  const ScoreModifier modifier_;
  const bool plain_;
  int64_t key_ = 0, row_ = 0;
  int keys_ = 0, rows_ = 0;
  Span row_spans_[(kMostTileRows + kBlockRows - 1) / kBlockRows];
  Span key_spans_[(kMostTileKeys + kBlockRows - 1) / kBlockRows];
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
