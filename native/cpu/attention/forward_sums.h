// The rows of an item and what is summed up of them: panels of outputs with their maxima and sums, of one part of the
// keys and of those before it.
#pragma once

#include <algorithm>

#include "cpu/attention/few_rows.h"
#include "cpu/attention/forward_layout.h"
#include "cpu/attention/kernels.h"

namespace fovea::attention::cpu::FOVEA_TIER {

constexpr int kMaxWidth = kPanelVectors * kLanes;

class ForwardSums : public AttentionRows {
 public:
  ForwardSums(const ForwardRun& run, const ForwardWork& work)
      : AttentionRows(spec_of(run.plan), work.sequence, work.batch, work.key_head),
        plan_(run.plan),
        work_(work),
        layout_(plan_.tile_queries, plan_.tile_keys, kTier, spec_),
        scratch_(static_cast<float*>(run.scratch)),
        parts_(static_cast<float*>(run.workspace)) {}

 protected:
  void set_rows(int64_t begin, int64_t end) {
    row_begin_ = begin;
    rows_ = int(end - begin);
    few_ = rows_ <= kMostFewRows;
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
  float* key_scales() const { return scratch_ + layout_.key_scales; }
  float* value_scales() const { return scratch_ + layout_.value_scales; }

  // ---- sums -------------------------------------------------------------------------------------

  void reset() {
    for_each_panel([&](int panel, auto vectors) {
      std::fill_n(outputs(panel), output_columns() * vectors() * kLanes, 0.0f);
      std::fill_n(m(panel), vectors() * kLanes, -kInfinity);
      std::fill_n(l(panel), vectors() * kLanes, 0.0f);
    });
    if (few_) std::fill_n(few_outputs(), kMostFewRows * few_row(), 0.0f);
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

  // ---- parts of the keys ------------------------------------------------------------------------

  // The sums of a part of an item, in the workspace.
  float* part_of(int64_t item, int64_t part, int panel) const {
    const PartLayout layout(plan_.tile_queries, kTier, spec_);
    return parts_ + (item * parts_of(spec_.key_length) + part) * layout.total + panel * layout.panel;
  }

  void store_part() {
    for_each_panel([&](int panel, auto vectors) {
      constexpr int kWidth = vectors() * kLanes;
      float* const to = part_of(work_.item, work_.part, panel);
      float* const end = std::copy_n(outputs(panel), output_columns() * kWidth, to);
      std::copy_n(l(panel), kWidth, std::copy_n(m(panel), kWidth, end));
    });
  }

  // Those of keys before `last`.
  void add_parts(int64_t last) {
    reset();
    for (int64_t part = 0; part < parts_of(last); ++part) {
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

  const fovea_plan& plan_;
  const ForwardWork& work_;
  const ForwardLayout layout_;
  float* const scratch_;
  float* const parts_;
  int64_t row_begin_ = 0;  // rows [row_begin_, + rows_)
  int rows_ = 0;
  bool few_ = false;  // keys and values are not packed
  int64_t sums_ = 0;  // 0, or layout_.sums where a part is summed apart from those before it
};

}  // namespace fovea::attention::cpu::FOVEA_TIER
