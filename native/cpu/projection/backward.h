// The backward pass: weight transposed times dout gives dx, dout times x transposed dweight.
#pragma once

#include "cpu/product.h"
#include "cpu/projection/kernels.h"
#include "cpu/projection/rows.h"

namespace fovea::projection::cpu::FOVEA_TIER {

class BackwardItem {
 public:
  BackwardItem(const BackwardRun& run, const BackwardWork& work)
      : spec_(spec_of(run.plan)),
        operands_(run.operands),
        layout_(run.layout),
        work_(work),
        scratch_(run.scratch) {}

  // dx of the positions; 0 behind the length.
  void multiply_transposed() const {
    const int64_t positions =
        std::clamp<int64_t>(work_.length - work_.position, 0, work_.positions);
    const Panel<float> sums = {scratch_ + layout_.sums, layout_.row};
    const Panel<float> douts = {scratch_ + layout_.douts, layout_.row};
    const Panel<float> weight = {scratch_ + layout_.weight, kColumns};
    const int64_t written = spec_.rank > 0 ? positions : 0;
    clear_rows({sums.at + written * sums.row, sums.row}, work_.positions - written);
    const int64_t groups = (positions + kColumns - 1) / kColumns;
    for (int64_t r = 0; r < spec_.rank && positions > 0; r += kRankDepth) {
      const int64_t depth = std::min(kRankDepth, spec_.rank - r);
      dout_rows(work_.batch, work_.head, r, depth).load(douts);
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t first = group * kColumns, count = std::min(kColumns, positions - first);
        weights(r, group).load(weight);
        multiply({weight.at, 1, weight.row}, {douts.at, douts.row}, int(count), int(spec_.head_dim),
                 int(depth), r > 0, {sums.at + first * sums.row, sums.row});
      }
    }
    RowsOut(operands_.dx, spec_.gradient_dtype,
            spec_.batch * spec_.length * spec_.heads * spec_.head_dim, spec_.dx_stride[1],
            spec_.head_dim)
        .store(sums, work_.positions,
               work_.batch * spec_.dx_stride[0] + work_.position * spec_.dx_stride[1] +
                   work_.head * spec_.dx_stride[2]);
  }

  // dweight of the rows and positions, from all sequences that have these.
  void multiply_columns() const {
    const Panel<float> sums = {scratch_ + layout_.sums, layout_.position_row};
    const Panel<float> douts = {scratch_ + layout_.douts, layout_.row};
    const Panel<float> columns = {scratch_ + layout_.columns, layout_.position_row};
    clear_rows(sums, work_.rows);
    const int64_t groups = (work_.rows + kGroup - 1) / kGroup;
    bool stored = false;
    for (int64_t b = 0; b < spec_.batch; ++b) {
      const int64_t length = operands_.lengths == nullptr ? spec_.length : operands_.lengths[b];
      const int64_t positions = std::min(work_.positions, length - work_.position);
      if (positions <= 0) continue;
      for (int64_t h = work_.head; h < work_.last; ++h) {
        load_columns(b, h, int(positions), columns);
        stored = b + 1 == spec_.batch && h + 1 == work_.last;
        for (int64_t group = 0; group < groups; ++group) {
          const Rows rows = dout_rows(b, h, work_.row + group * kGroup, rows_of(group));
          rows.load(douts);
          add_columns({douts.at, douts.row, 1}, {columns.at, columns.row}, int(rows.rows),
                      int(positions), {sums.at + group * kGroup * sums.row, sums.row});
          if (stored) store_group(group, sums);
        }
      }
    }
    for (int64_t group = 0; group < groups && !stored; ++group) store_group(group, sums);
  }

 private:
  // kRankDepth rows from r on, of a group of positions; none behind the length or the last row.
  Rows weights(int64_t r, int64_t group) const {
    const int64_t j = work_.position + group * kColumns;
    const int64_t end = std::min(work_.length, work_.position + work_.positions);
    return {operands_.weight,
            spec_.dtype,
            work_.head * spec_.weight_stride[0] + r * spec_.weight_stride[1] + j,
            spec_.weight_stride[1],
            std::clamp<int64_t>(spec_.rank - r, 0, kRankDepth),
            std::clamp<int64_t>(end - j, 0, kColumns)};
  }

  Rows dout_rows(int64_t batch, int64_t head, int64_t row, int64_t rows) const {
    return {operands_.dout,
            spec_.out_dtype,
            batch * spec_.dout_stride[0] + row * spec_.dout_stride[1] + head * spec_.dout_stride[2],
            spec_.dout_stride[1],
            rows,
            spec_.head_dim};
  }

  // The tile's positions of x as columns.
  void load_columns(int64_t batch, int64_t head, int positions, const Panel<float>& to) const {
    with_type(spec_.dtype, [&](auto zero) {
      pack_columns(static_cast<const decltype(zero)*>(operands_.x) + batch * spec_.x_stride[0] +
                       work_.position * spec_.x_stride[1] + head * spec_.x_stride[2],
                   spec_.x_stride[1], positions, spec_.head_dim, to.at, to.row);
    });
  }

  // Adds products for the positions alone. A product has whole vectors, and zeros that fill up the last
  // times an infinite dout would be NaN in positions that other sequences have.
  void add_columns(const Factor& douts, const Panel<const float>& columns, int rows, int positions,
                   const Panel<float>& sums) const {
    const int behind = positions < work_.positions ? -positions & (kLanes - 1) : 0;
    float kept[kGroup][kLanes];
    for (int r = 0; r < rows; ++r) {
      std::copy_n(sums.at + r * sums.row + positions, behind, kept[r]);
    }
    multiply(douts, columns, rows, positions, int(spec_.head_dim), true, sums);
    for (int r = 0; r < rows; ++r) {
      std::copy_n(kept[r], behind, sums.at + r * sums.row + positions);
    }
  }

  int64_t rows_of(int64_t group) const { return std::min(kGroup, work_.rows - group * kGroup); }

  // Rows of dweight.
  void store_group(int64_t group, const Panel<float>& sums) const {
    const int64_t first = group * kGroup;
    RowsOut(operands_.dweight, FOVEA_FLOAT32, weights_of(spec_) * spec_.rank * spec_.length,
            spec_.dweight_stride[1], work_.positions)
        .store({sums.at + first * sums.row, sums.row}, rows_of(group),
               work_.head * spec_.dweight_stride[0] +
                   (work_.row + first) * spec_.dweight_stride[1] + work_.position,
               spec_.accumulate != 0);
  }

  const Spec& spec_;
  const BackwardOperands& operands_;
  const BackwardScratch& layout_;
  const BackwardWork& work_;
  float* const scratch_;
};

}  // namespace fovea::projection::cpu::FOVEA_TIER
