// One item of a plan: a tile of query rows against all the keys they see.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "cpu/attention/forward_layout.h"
#include "cpu/attention/forward_tile.h"
#include "cpu/attention/gates.h"
#include "cpu/attention/kernels.h"
#include "cpu/attention/position_scores.h"
#include "cpu/attention/score_modifier.h"
#include "cpu/attention/sparse_mask.h"
#include "cpu/softmax/top_weights.h"

namespace fovea::attention::cpu::FOVEA_TIER {

constexpr int kMaxWidth = kPanelVectors * kLanes;

template <typename T>
class ForwardItem : public AttentionRows {
 public:
  ForwardItem(const ForwardRun& run, const ForwardWork& work)
      : AttentionRows(spec_of(run.plan), work.sequence, work.batch, work.key_head),
        plan_(run.plan),
        call_(run.call),
        operands_(run.operands),
        modifier_(*this, run.operands),
        sparse_(*this, run.operands),
        layout_(plan_.tile_queries, plan_.tile_keys, kLanes, kGroup, spec_),
        scratch_(static_cast<float*>(run.scratch)),
        gates_(*this, run.operands, scratch_ + layout_.gates, plan_.tile_keys),
        positions_(*this, run.operands,
                   {{scratch_ + layout_.position_queries, layout_.position_row},
                    {scratch_ + layout_.position_columns, layout_.column_row},
                    {scratch_ + layout_.position_scores, layout_.position_score_row}}) {}

  // Rows [begin, end) of the sequence's query_length * group rows.
  void run(int64_t begin, int64_t end) {
    row_begin_ = begin;
    rows_ = int(end - begin);
    const int panels = (rows_ + kMaxWidth - 1) / kMaxWidth;
    if (positions_) positions_.load_rows(begin, rows_, modifier_.query_scale());
    for (int panel = 0; panel < panels; ++panel) {
      dispatch(panel, [&](auto vectors) { start<vectors()>(panel); });
    }
    // A tile of keys starts at a multiple of its size, wherever a row's first key is: then a row's
    // result does not depend on the rows beside it.
    const int64_t last = high(end - 1);
    const int64_t first = std::max(low(begin), modifier_.first_key(begin, end));
    for (int64_t j = tile_at(first); j < last; j = tile_at(j + plan_.tile_keys)) {
      const int count = int(std::min<int64_t>(plan_.tile_keys, last - j));
      load_keys(j, count);
      load_values(j, count);
      for (int panel = 0; panel < panels; ++panel) {
        dispatch(panel, [&](auto vectors) { step<vectors()>(panel, j, count); });
      }
    }
    for (int panel = 0; panel < panels; ++panel) {
      dispatch(panel, [&](auto vectors) { finish<vectors()>(panel); });
    }
    if (spec_.has_weights || spec_.has_top_weights) write_weights(panels, first, last);
  }

 private:
  // Where the first tile begins that has a key from `key` on which no gap of the mask hides.
  int64_t tile_at(int64_t key) const {
    return sparse_.next_key(row_begin_, row_begin_ + rows_, key) / plan_.tile_keys *
           plan_.tile_keys;
  }

  int panel_end(int panel) const { return std::min(rows_, (panel + 1) * kMaxWidth); }

  // Runs `body` with the panel's number of vectors as a constant.
  template <typename Body>
  void dispatch(int panel, Body body) {
    const int lanes = panel_end(panel) - panel * kMaxWidth;
    switch ((lanes + kLanes - 1) / kLanes) {
      case 1:
        return body(std::integral_constant<int, 1>{});
      case 2:
        return body(std::integral_constant<int, 2>{});
      default:
        return body(std::integral_constant<int, 3>{});
    }
  }

  // ---- memory of the worker ---------------------------------------------------------------------

  float* keys() const { return scratch_ + layout_.keys; }
  float* values() const { return scratch_ + layout_.values; }
  float* scores_of_tile() const { return scratch_ + layout_.scores; }
  uint8_t* seen() const { return reinterpret_cast<uint8_t*>(scratch_ + layout_.seen); }
  float* relative() const { return scratch_ + layout_.relative; }
  float* program() const { return scratch_ + layout_.program; }
  float* alpha() const { return scratch_ + layout_.alpha; }
  float* maximum() const { return scratch_ + layout_.maximum; }
  float* queries(int panel) const {
    return scratch_ + layout_.queries + panel * layout_.query_panel;
  }
  float* outputs(int panel) const {
    return scratch_ + layout_.outputs + panel * layout_.output_panel;
  }
  float* m(int panel) const { return scratch_ + layout_.m + panel * kMaxWidth; }
  float* l(int panel) const { return scratch_ + layout_.l + panel * kMaxWidth; }

  void load_keys(int64_t j, int count) {
    const T* from = static_cast<const T*>(operands_.key) + key_offset(spec_.key_stride, j);
    pack_keys<kGroup>(from, spec_.key_stride[1], count, spec_.head_dim, keys());
    if (!positions_) return;
    positions_.start_keys(j, count);
    for (int64_t band = 0; band < positions_.bands(); ++band) positions_.load_columns(band, band);
  }
  void load_values(int64_t j, int count) {
    const T* from = static_cast<const T*>(operands_.value) + key_offset(spec_.value_stride, j);
    pack_values<kGroup>(from, spec_.value_stride[1], count, spec_.value_head_dim, plan_.tile_keys,
                        values());
    if (gates_) gates_.load_keys(j, count);
  }

  // ---- a panel's life ---------------------------------------------------------------------------

  template <int kVectors>
  void start(int panel) {
    constexpr int kWidth = kVectors * kLanes;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    const int64_t last = row_begin_ + panel_end(panel) - 1;
    for (int lane = 0; lane < kWidth; lane += 8) {
      int64_t rows[8];
      for (int r = 0; r < 8; ++r) rows[r] = std::min(first + lane + r, last);
      pack_content_queries<T>(*this, operands_, rows, modifier_.query_scale(),
                              {scratch_ + layout_.biased, layout_.biased_row},
                              queries(panel) + lane, kWidth);
    }
    std::fill_n(outputs(panel), layout_.value_groups * kGroup * kWidth, 0.0f);
    std::fill_n(m(panel), kWidth, -kInfinity);
    std::fill_n(l(panel), kWidth, 0.0f);
  }

  // Scores of the panel against keys [j, j + count), ready for exp2; false if none is visible.
  // begin and end answer the range that was computed, from the tile's start.
  template <int kVectors>
  bool score(int panel, int64_t j, int count, int& begin, int& end) {
    constexpr int kWidth = kVectors * kLanes;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    const int64_t last = row_begin_ + panel_end(panel) - 1;
    const auto in_tile = [&](int64_t key) { return int(std::clamp<int64_t>(key - j, 0, count)); };
    begin = in_tile(low(first));
    end = in_tile(high(last));
    if (begin >= end || sparse_.next_key(first, last + 1, j + begin) >= j + end) return false;
    const bool whole = sparse_.lets_all(first, last + 1, j + begin, end - begin);
    // Keys that every row sees need no mask; what is left of them and right of them does.
    const bool modified = modifier_.is_active() || positions_;
    int clear_begin = round_up(in_tile(low(last))),
        clear_end = in_tile(high(first)) / kGroup * kGroup;
    if (modified || !whole || clear_begin >= clear_end) clear_begin = clear_end = round_up(end);
    alignas(64) int32_t lows[kWidth], highs[kWidth];
    if (begin < clear_begin || clear_end < end) {
      for (int lane = 0; lane < kWidth; ++lane) {
        const int64_t row = std::min(first + lane, last);
        lows[lane] = in_tile(low(row));
        highs[lane] = in_tile(high(row));
      }
    }
    float* s = scores_of_tile();
    std::fill_n(maximum(), kWidth, -kInfinity);
    const auto masked = [&](int from, int to) {
      if (from >= to) return;
      alignas(64) float unused[kWidth] = {};
      scores<kVectors>(keys(), queries(panel), spec_.head_dim, from / kGroup * kGroup, round_up(to),
                       s, unused);
      if (positions_) positions_.template add_panel<kWidth>(first, last, from, to, s);
      if (modified) {
        modifier_.apply_panel<kVectors>(first, last, j, from, to, s, relative(), program());
      }
      if (!whole) hide_gaps<kWidth>(first, last, j, from, to, s);
      mask<kVectors>(s, from, to, lows, highs, maximum());
    };
    masked(begin, std::min(clear_begin, end));
    if (clear_begin < clear_end) {
      scores<kVectors>(keys(), queries(panel), spec_.head_dim, clear_begin, clear_end, s,
                       maximum());
    }
    masked(clear_end, end);
    return true;
  }

  // What lies in gaps of the mask.
  template <int kWidth>
  void hide_gaps(int64_t first, int64_t last, int64_t j, int from, int to, float* s) const {
    const uint8_t* rows[kWidth];
    for (int lane = 0; lane < kWidth; ++lane) {
      const int64_t row = std::min(first + lane, last);
      uint8_t* const all = seen() + lane * plan_.tile_keys;
      std::fill(all + from, all + to, uint8_t{1});
      sparse_.hide(row, j, from, to, all);
      rows[lane] = all + from;
    }
    hide_unseen<kWidth>(rows, from, to, s);
  }

  static int round_up(int keys) { return (keys + kGroup - 1) / kGroup * kGroup; }

  template <int kVectors>
  void step(int panel, int64_t j, int count) {
    int begin, end;
    if (!score<kVectors>(panel, j, count, begin, end)) return;
    float* s = scores_of_tile();
    softmax_step<kVectors>(s, begin, end, maximum(), m(panel), l(panel), alpha());
    if (spec_.dropout > 0) drop<kVectors>(panel, j, begin, end, s);
    if (gates_) gate<kVectors>(panel, begin, end, s);
    accumulate<kVectors>(values(), plan_.tile_keys, layout_.value_groups, s, begin, end, alpha(),
                         outputs(panel));
  }

  // Sets dropped probabilities to zero; finish() scales the kept ones. A tile starts at a multiple
  // of 32 keys, the span of the generator's four calls.
  template <int kVectors>
  void drop(int panel, int64_t j, int begin, int end, float* p) {
    constexpr int kWidth = kVectors * kLanes;
    const uint32_t threshold = dropout_threshold(spec_.dropout);
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    for (int block = begin / 32; block * 32 < end; ++block) {
      for (int pair = 0; pair < 4; ++pair) {
        uint32_t x[4][kWidth];
        for (int lane = 0; lane < kWidth; ++lane) {
          const int64_t row = first + lane;
          x[0][lane] = uint32_t((j / 32 + block) * 4 + pair);
          x[1][lane] = uint32_t(row / group_);
          x[2][lane] = uint32_t(batch_ * spec_.query_heads + head(row));
          x[3][lane] = call_.dropout_offset;
        }
        philox4x32_10(x, call_.dropout_seed);
        for (int word = 0; word < 4; ++word) {
          for (int half = 0; half < 2; ++half) {
            const int k = block * 32 + word * 8 + pair * 2 + half;
            if (k < begin || k >= end) continue;
            for (int lane = 0; lane < kWidth; ++lane) {
              const uint32_t draw = half == 0 ? x[word][lane] & 0xffff : x[word][lane] >> 16;
              if (draw < threshold) p[k * kWidth + lane] = 0.0f;
            }
          }
        }
      }
    }
  }

  // Multiplies probabilities by the gates of their keys: not values, which heads of a group share.
  template <int kVectors>
  void gate(int panel, int begin, int end, float* p) {
    constexpr int kWidth = kVectors * kLanes;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    for (int lane = 0; lane < kWidth; lane += 8) {
      const float* rows[8];
      for (int r = 0; r < 8; ++r) rows[r] = gates_.row(head(first + lane + r)) + begin;
      for_each_block(rows, end - begin, [&](int64_t k, float8 gate) {
        float* const at = p + (begin + k) * kWidth + lane;
        store8(at, load8(at) * gate);
      });
    }
  }

  // Divides by the sum, adds the sink to it, and writes out and lse. Leaves in m and l what turns a
  // score into a weight: exp2(s - m) * l.
  template <int kVectors>
  void finish(int panel) {
    constexpr int kWidth = kVectors * kLanes;
    const int lanes = panel_end(panel) - panel * kMaxWidth;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    float* scale = alpha();
    const float kept = dropout_scale(dropout_threshold(spec_.dropout));
    for (int lane = 0; lane < kWidth; ++lane) {
      const int64_t row = first + std::min(lane, lanes - 1);
      double base = m(panel)[lane];
      float sum = l(panel)[lane], rescale = kept;
      if (spec_.has_sinks) {  // in double: a sink may be infinite in units of log2
        const double sink = operands_.sinks[head(row)] / kLn2;
        const double highest = std::max(base, sink);
        if (highest > -kInfinity) {
          const float decay = float(std::exp2(base - highest));
          sum = sum * decay + float(std::exp2(sink - highest));
          rescale *= decay;
          base = highest;
        }
      }
      const float inverse = sum == 0.0f ? 0.0f : 1.0f / sum;
      scale[lane] = inverse * rescale;
      if (spec_.has_lse && lane < lanes) {
        operands_.lse[lse_offset(row)] =
            sum == 0.0f ? -kInfinity : float((base + std::log2(double(sum))) * kLn2);
      }
      m(panel)[lane] = base == -kInfinity ? 0.0f : float(base);
      l(panel)[lane] = inverse;
    }
    float* o = outputs(panel);
    for (int64_t d = 0; d < spec_.value_head_dim; ++d) {
      for (int v = 0; v < kVectors; ++v) {
        float* at = o + d * kWidth + v * kLanes;
        store(at, load(at) * load(scale + v * kLanes));
      }
    }
    if (spec_.has_ungated) write_out<kWidth>(operands_.ungated, spec_.ungated_stride, first, lanes, o);
    if (spec_.output_gates_dtype != 0) gate_outputs<kWidth>(first, lanes, o);
    write_out<kWidth>(operands_.out, spec_.out_stride, first, lanes, o);
  }

  // A row at a time: next to its keys it is little. The scores are no longer needed.
  template <int kWidth>
  void gate_outputs(int64_t first, int lanes, float* o) {
    float* const gates = scores_of_tile();
    static_assert(kWidth >= 8);  // times 64 keys: 512 columns
    for_each_row(first, first + lanes, [&](int64_t row, int64_t i, int64_t head) {
      const int64_t columns = spec_.value_head_dim;
      const int64_t count = load_output_gates(*this, operands_, i, head, columns, gates);
      apply_sigmoid(count, gates);
      float* const at = o + (row - first);
      for (int64_t d = 0; d < columns; ++d) at[d * kWidth] *= gates[count == 1 ? 0 : d];
    });
  }

  template <int kWidth>
  void write_out(void* to, const int64_t (&stride)[3], int64_t first, int lanes, const float* o) {
    with_type(spec_.out_dtype, [&](auto zero) {
      write_out<kWidth>(static_cast<decltype(zero)*>(to), stride, first, lanes, o);
    });
  }

  template <int kWidth, typename Out>
  void write_out(Out* to, const int64_t (&stride)[3], int64_t first, int lanes, const float* o) {
    for (int lane = 0; lane < lanes; lane += 8) {
      Out* rows[8] = {};
      const int count = std::min(8, lanes - lane);
      for (int r = 0; r < count; ++r) {
        const int64_t row = first + lane + r;
        rows[r] = to + query_offset(stride, row);
      }
      unpack_rows8(o + lane, kWidth, spec_.value_head_dim, rows, count);
    }
  }

  // ---- attention weights ------------------------------------------------------------------------

  float* weights_row(int64_t row) const {
    return operands_.weights + score_offset(spec_.weights_stride, row);
  }

  TopWeights top_of(int64_t row) const { return {*this, operands_, query(row), head(row)}; }

  // A second pass over the keys, now that every row's maximum and sum are known.
  void write_weights(int panels, int64_t first, int64_t last) {
    for (int64_t row = row_begin_; row < row_begin_ + rows_; ++row) {
      if (spec_.has_weights) std::fill_n(weights_row(row), spec_.key_length, 0.0f);
      if (spec_.has_top_weights) top_of(row).clear();
    }
    for (int64_t j = tile_at(first); j < last; j = tile_at(j + plan_.tile_keys)) {
      const int count = int(std::min<int64_t>(plan_.tile_keys, last - j));
      load_keys(j, count);
      for (int panel = 0; panel < panels; ++panel) {
        dispatch(panel, [&](auto vectors) { write_panel_weights<vectors()>(panel, j, count); });
      }
    }
  }

  template <int kVectors>
  void write_panel_weights(int panel, int64_t j, int count) {
    constexpr int kWidth = kVectors * kLanes;
    int begin, end;
    if (!score<kVectors>(panel, j, count, begin, end)) return;
    float* s = scores_of_tile();
    for (int k = begin; k < end; ++k) {
      for (int v = 0; v < kVectors; ++v) {
        float* at = s + k * kWidth + v * kLanes;
        store(at, exp2(load(at) - load(m(panel) + v * kLanes)) * load(l(panel) + v * kLanes));
      }
    }
    const int lanes = panel_end(panel) - panel * kMaxWidth;
    const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
    if (spec_.has_top_weights) list_top<kWidth>(first, lanes, j, begin, end, s);
    if (!spec_.has_weights) return;
    for (int lane = 0; lane < lanes; lane += 8) {
      float* rows[8] = {};
      const int filled = std::min(8, lanes - lane);
      for (int r = 0; r < filled; ++r) rows[r] = weights_row(first + lane + r) + j + begin;
      unpack_rows8(s + begin * kWidth + lane, kWidth, end - begin, rows, filled);
    }
  }

  // Few weights are among the largest so far: vectors of rows of which none is are passed over.
  template <int kWidth>
  void list_top(int64_t first, int lanes, int64_t j, int begin, int end, const float* s) const {
    alignas(64) float least[kWidth];
    std::fill_n(least, kWidth, kInfinity);
    for (int lane = 0; lane < lanes; ++lane) least[lane] = top_of(first + lane).least();
    for (int k = begin; k < end; ++k) {
      for (int v = 0; v < kWidth; v += kLanes) {
        const vfloat weights = load(s + k * kWidth + v);
        if (!any(~(weights <= load(least + v)))) continue;
        for (int lane = v; lane < std::min(v + kLanes, lanes); ++lane) {
          if (weights[lane - v] <= least[lane]) continue;
          const TopWeights top = top_of(first + lane);
          top.add(weights[lane - v], j + k);
          least[lane] = top.least();
        }
      }
    }
  }

  const fovea_plan& plan_;
  const fovea_call& call_;
  const ForwardOperands& operands_;
  const ScoreModifier modifier_;
  const SparseMask sparse_;
  const ForwardLayout layout_;
  float* const scratch_;
  const KeyGates gates_;
  PositionScores positions_;
  int64_t row_begin_ = 0;
  int rows_ = 0;
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
