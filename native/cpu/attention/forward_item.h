// One item of a plan: a tile of query rows against all the keys they see.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/philox.h"
#include "cpu/attention/forward_layout.h"
#include "cpu/attention/few_rows.h"
#include "cpu/attention/forward_tile.h"
#include "cpu/attention/gates.h"
#include "cpu/attention/kernels.h"
#include "cpu/attention/key_rows.h"
#include "cpu/attention/pack_rows.h"
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
        work_(work),
        key_rows_(*this, run.operands),
        modifier_(*this, run.operands),
        sparse_(*this, run.operands),
        layout_(plan_.tile_queries, plan_.tile_keys, kLanes, kGroup, spec_),
        scratch_(static_cast<float*>(run.scratch)),
        parts_(static_cast<float*>(run.workspace)),
        gates_(*this, run.operands, scratch_ + layout_.gates, plan_.tile_keys),
        positions_(*this, run.operands,
                   {{scratch_ + layout_.position_queries, layout_.position_row},
                    {scratch_ + layout_.position_columns, layout_.column_row},
                    {scratch_ + layout_.position_scores, layout_.position_score_row}}) {}

  // Rows [begin, end) of the sequence's query_length * group rows.
  void run(int64_t begin, int64_t end) {
    row_begin_ = begin;
    rows_ = int(end - begin);
    few_ = rows_ <= kMostFewRows;
    first_ = std::max(low(begin), modifier_.first_key(begin, end));
    last_ = high(end - 1);
    if (plan_.phases > 1) {
      if (call_.phase == 0) return run_part();
      add_parts();
    } else {
      start();
      reset();
      for (int64_t part = first_ / kPartKeys; part * kPartKeys < last_; ++part) {
        sums_ = part > first_ / kPartKeys ? layout_.sums : 0;
        walk(part);
        if (sums_ > 0) add_part();
      }
      sums_ = 0;
    }
    for_each_panel([&](int panel, auto vectors) { finish<vectors()>(panel); });
    if (spec_.has_weights || spec_.has_top_weights) write_weights();
  }

 private:
  // Where the first tile begins that has a key from `key` on which no gap of the mask hides.
  int64_t tile_at(int64_t key) const {
    return sparse_.next_key(row_begin_, row_begin_ + rows_, key) / plan_.tile_keys *
           plan_.tile_keys;
  }

  int panel_end(int panel) const { return std::min(rows_, (panel + 1) * kMaxWidth); }

  int panels() const { return (rows_ + kMaxWidth - 1) / kMaxWidth; }

  template <typename Body>
  void for_each_panel(Body body) {
    for (int panel = 0; panel < panels(); ++panel) {
      dispatch(panel, [&](auto vectors) { body(panel, vectors); });
    }
  }

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
    return scratch_ + sums_ + layout_.outputs + panel * layout_.output_panel;
  }
  float* m(int panel) const { return scratch_ + sums_ + layout_.m + panel * kMaxWidth; }
  float* l(int panel) const { return scratch_ + sums_ + layout_.l + panel * kMaxWidth; }
  int64_t output_columns() const { return layout_.value_groups * kGroup; }

  // Those of few rows stay where they are.
  void load_keys(int64_t j, int count) {
    const int32_t type = spec_.cache_dtype;
    key_rows_.find(operands_.key, spec_.key_stride, element_bytes(type), j, first_, count, plan_.tile_keys,
                   keys_at_);
    if (!few_) {
      with_cache_type(type, [&](auto zero) {
        pack_keys<decltype(zero)>(keys_at_, count, spec_.head_dim, keys());
      });
    }
    if (spec_.has_key_scales) load_scales(operands_.key_scales, spec_.key_scales_stride, j, count, key_scales());
    if (!positions_) return;
    positions_.start_keys(j, count);
    for (int64_t band = 0; band < positions_.bands(); ++band) positions_.load_columns(band, band);
  }
  void load_values(int64_t j, int count) {
    const int32_t type = spec_.cache_dtype;
    key_rows_.find(operands_.value, spec_.value_stride, element_bytes(type), j, first_, count,
                   plan_.tile_keys, values_at_);
    if (few_) {
      const int64_t next = j + plan_.tile_keys;
      const int there = int(std::clamp<int64_t>(last_ - next, 0, plan_.tile_keys));
      key_rows_.find(operands_.key, spec_.key_stride, element_bytes(type), next, first_, there,
                     plan_.tile_keys, ahead_);
    } else {
      with_cache_type(type, [&](auto zero) {
        pack_values<decltype(zero)>(values_at_, count, spec_.value_head_dim, plan_.tile_keys, values());
      });
    }
    if (spec_.has_value_scales) {
      load_scales(operands_.value_scales, spec_.value_scales_stride, j, count, value_scales());
    }
    if (gates_) gates_.load_keys(j, count);
  }

  float* key_scales() const { return scratch_ + layout_.key_scales; }
  float* value_scales() const { return scratch_ + layout_.value_scales; }
  void load_scales(const float* scales, const int64_t (&stride)[2], int64_t j, int count, float* to) const {
    for (int k = 0; k < count; ++k) to[k] = j + k < first_ ? 0.0f : key_rows_.scale(scales, stride, j + k);
  }

  // ---- the sums of rows -------------------------------------------------------------------------

  void start() {
    if (positions_) positions_.load_rows(row_begin_, rows_, modifier_.query_scale());
    for_each_panel([&](int panel, auto vectors) {
      const int64_t first = row_begin_ + int64_t{panel} * kMaxWidth;
      const int64_t last = row_begin_ + panel_end(panel) - 1;
      for (int lane = 0; lane < vectors() * kLanes; lane += 8) {
        int64_t rows[8];
        for (int r = 0; r < 8; ++r) rows[r] = std::min(first + lane + r, last);
        pack_content_queries<T>(*this, operands_, rows, modifier_.query_scale(),
                                {scratch_ + layout_.biased, layout_.biased_row}, queries(panel) + lane,
                                vectors() * kLanes);
      }
    });
  }

  void reset() {
    for_each_panel([&](int panel, auto vectors) {
      std::fill_n(outputs(panel), output_columns() * vectors() * kLanes, 0.0f);
      std::fill_n(m(panel), vectors() * kLanes, -kInfinity);
      std::fill_n(l(panel), vectors() * kLanes, 0.0f);
    });
    if (few_) std::fill_n(few_outputs(), kMostFewRows * few_row(), 0.0f);
  }

  // ---- parts of the keys ------------------------------------------------------------------------

  // All keys of a part that the rows see.
  void walk(int64_t part) {
    reset();
    // A tile of keys starts at a multiple of its size, wherever a row's first key is: then a row's
    // result does not depend on the rows beside it.
    const int64_t last = std::min(last_, (part + 1) * kPartKeys);
    for (int64_t j = tile_at(std::max(first_, part * kPartKeys)); j < last; j = tile_at(j + plan_.tile_keys)) {
      const int count = int(std::min<int64_t>(plan_.tile_keys, last - j));
      load_keys(j, count);
      load_values(j, count);
      for_each_panel([&](int panel, auto vectors) { step<vectors()>(panel, j, count); });
    }
    if (few_) transpose_outputs();
  }

  // Of few rows: a row of out behind another, in the memory of the values that are not packed.
  float* few_outputs() const { return values(); }
  int64_t few_row() const { return round_to_vectors(spec_.value_head_dim); }
  void transpose_outputs() {
    const char* rows[kLanes];
    for (int lane = 0; lane < kLanes; ++lane) {
      rows[lane] = reinterpret_cast<const char*>(few_outputs() + std::min(lane, rows_ - 1) * few_row());
    }
    for (int64_t c = 0; c < output_columns(); c += kLanes) {
      vfloat square[kLanes];
      load_whole_square<float>(rows, c, square);
      for (int64_t d = c; d < std::min(c + kLanes, output_columns()); ++d) {
        store(outputs(0) + d * kLanes, square[d - c]);
      }
    }
  }

  // The sums of a part of an item, in the workspace.
  float* part_of(int64_t item, int64_t part, int panel) const {
    const PartLayout layout(plan_.tile_queries, kLanes, kGroup, spec_);
    return parts_ + (item * parts_of(spec_.key_length) + part) * layout.total + panel * layout.panel;
  }

  void run_part() {
    const int64_t begin = work_.part * kPartKeys;
    const bool seen = begin < last_ && begin + kPartKeys > first_;
    if (seen) {
      start();
      walk(work_.part);
    } else {
      reset();
    }
    for_each_panel([&](int panel, auto vectors) {
      constexpr int kWidth = vectors() * kLanes;
      float* const to = part_of(work_.item, work_.part, panel);
      float* const end = std::copy_n(outputs(panel), output_columns() * kWidth, to);
      std::copy_n(l(panel), kWidth, std::copy_n(m(panel), kWidth, end));
    });
  }

  void add_parts() {
    reset();
    for (int64_t part = 0; part < parts_of(last_); ++part) {
      for_each_panel([&](int panel, auto vectors) {
        constexpr int kWidth = vectors() * kLanes;
        const float* const from = part_of(work_.item, part, panel);
        const float* const end = from + output_columns() * kWidth;
        add_part<vectors()>(panel, from, end, end + kWidth);
      });
    }
  }

  void add_part() {
    for_each_panel([&](int panel, auto vectors) {
      const float *const o = outputs(panel), *const part_m = m(panel), *const part_l = l(panel);
      sums_ = 0;
      add_part<vectors()>(panel, o, part_m, part_l);
      sums_ = layout_.sums;
    });
    sums_ = 0;
  }

  // Adds the sums of a part to those before it. A part that a row sees nothing of leaves its sums as they are,
  // as if it had not been: whether there is one is up to the rows beside it.
  template <int kVectors>
  void add_part(int panel, const float* o, const float* part_m, const float* part_l) {
    constexpr int kWidth = kVectors * kLanes;
    vfloat here[kVectors], there[kVectors];
    vint kept[kVectors], taken[kVectors];
    const auto sum = [&](int v, vfloat a, vfloat b) {
      return select(kept[v], a, select(taken[v], b, fma(b, there[v], a * here[v])));
    };
    for (int v = 0; v < kVectors; ++v) {
      float *const m_at = m(panel) + v * kLanes, *const l_at = l(panel) + v * kLanes;
      const vfloat before = load(m_at), behind = load(part_m + v * kLanes);
      const vfloat sum_before = load(l_at), sum_behind = load(part_l + v * kLanes);
      const vfloat none = splat(-kInfinity), zero = splat(0.0f);
      kept[v] = (behind == none) & (sum_behind == zero);
      taken[v] = (before == none) & (sum_before == zero);
      const vfloat after = max(before, behind);
      const vfloat base = select(after == none, zero, after);
      here[v] = exp2(before - base);
      there[v] = exp2(behind - base);
      store(m_at, select(kept[v], before, select(taken[v], behind, after)));
      store(l_at, sum(v, sum_before, sum_behind));
    }
    float* const to = outputs(panel);
    for (int64_t d = 0; d < output_columns(); ++d) {
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = d * kWidth + v * kLanes;
        store(to + at, sum(v, load(to + at), load(o + at)));
      }
    }
  }

  // ---- a tile of keys ---------------------------------------------------------------------------

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
    const bool modified = modifier_.is_active() || positions_ || few_ || spec_.has_key_scales;
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
      multiply_keys<kVectors>(panel, from, to, s);
      if (positions_) positions_.template add_panel<kWidth>(first, last, from, to, s);
      if (modifier_.is_active()) {
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

  // The products of keys [from, to), times their scales.
  template <int kVectors>
  void multiply_keys(int panel, int from, int to, float* s) {
    constexpr int kWidth = kVectors * kLanes;
    if (kVectors == 1 && few_) {
      with_cache_type(spec_.cache_dtype, [&](auto zero) {
        with_few_rows(rows_, [&](auto rows) {
          few_scores<rows(), decltype(zero)>(keys_at_, values_at_, queries(panel), spec_.head_dim, from, to, s);
        });
      });
    } else {
      alignas(64) float unused[kWidth] = {};
      scores<kVectors>(keys(), queries(panel), spec_.head_dim, from / kGroup * kGroup, round_up(to), s,
                       unused);
    }
    if (spec_.has_key_scales) scale_keys<kWidth>(from, to, key_scales(), s);
  }
  template <int kWidth>
  static void scale_keys(int from, int to, const float* scales, float* s) {
    for (int k = from; k < to; ++k) {
      const vfloat scale = broadcast(scales + k);
      for (int v = 0; v < kWidth; v += kLanes) store(s + k * kWidth + v, load(s + k * kWidth + v) * scale);
    }
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
    if (spec_.has_value_scales) scale_keys<kVectors * kLanes>(begin, end, value_scales(), s);
    if (kVectors == 1 && few_) {
      with_cache_type(spec_.cache_dtype, [&](auto zero) {
        with_few_rows(rows_, [&](auto rows) {
          few_accumulate<rows(), decltype(zero)>(values_at_, ahead_, spec_.value_head_dim, s, begin, end, alpha(),
                                                 few_outputs(), few_row());
        });
      });
      return;
    }
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
  void write_weights() {
    for (int64_t row = row_begin_; row < row_begin_ + rows_; ++row) {
      if (spec_.has_weights) std::fill_n(weights_row(row), spec_.key_length, 0.0f);
      if (spec_.has_top_weights) top_of(row).clear();
    }
    for (int64_t j = tile_at(first_); j < last_; j = tile_at(j + plan_.tile_keys)) {
      const int count = int(std::min<int64_t>(plan_.tile_keys, last_ - j));
      load_keys(j, count);
      for_each_panel([&](int panel, auto vectors) { write_panel_weights<vectors()>(panel, j, count); });
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
  const ForwardWork& work_;
  const KeyRows key_rows_;
  const ScoreModifier modifier_;
  const SparseMask sparse_;
  const ForwardLayout layout_;
  float* const scratch_;
  float* const parts_;
  const KeyGates gates_;
  PositionScores positions_;
  int64_t row_begin_ = 0, first_ = 0, last_ = 0;  // rows [row_begin_, + rows_) see keys of [first_, last_)
  int rows_ = 0;
  bool few_ = false;   // keys and values are not packed
  int64_t sums_ = 0;   // 0, or layout_.sums where a part is summed apart from those before it
  const char* keys_at_[kMostTileKeys];
  const char* values_at_[kMostTileKeys];
  const char* ahead_[kMostTileKeys];  // keys of the next tile, where rows are few
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
