// The forward pass: rows of weight times positions of x, a chunk of them at a time.
#pragma once

#include "cpu/product.h"
#include "cpu/projection/kernels.h"
#include "cpu/projection/rows.h"

namespace fovea::projection::cpu::FOVEA_TIER {

class ForwardItem {
 public:
  ForwardItem(const ForwardRun& run, const ForwardWork& work)
      : spec_(spec_of(run.plan)),
        operands_(run.operands),
        layout_(run.layout),
        work_(work),
        run_(run) {}

  void multiply_chunks() const {
    if (run_.workspace != nullptr) return multiply_chunk(work_.chunk, partial_sums_of(work_.chunk));
    Panel<float> sums = panel(layout_.sums), totals = panel(layout_.totals);
    clear_rows(totals, work_.rows);
    for (int64_t chunk = work_.chunk; chunk < work_.end; ++chunk) {
      multiply_chunk(chunk, chunk == 0 ? totals : sums);
      if (chunk > 0) add(sums, totals);
    }
    store_out(totals);
  }

  // Of all chunks, in their order.
  void sum_chunks() const {
    const Panel<float> totals = panel(layout_.sums);
    clear_rows(totals, work_.rows);
    for (int64_t chunk = 0; chunk < work_.end; ++chunk) {
      const Panel<float> part = partial_sums_of(chunk);
      if (chunk > 0) {
        add(part, totals);
      } else {
        std::copy_n(part.at, work_.rows * part.row, totals.at);
      }
    }
    store_out(totals);
  }

 private:
  Panel<float> panel(int64_t at) const { return {run_.scratch + at, layout_.row}; }

  Panel<float> partial_sums_of(int64_t chunk) const {
    const int64_t number =
        (work_.batch * spec_.heads + work_.head) * chunks_of(spec_.length) + chunk;
    return {run_.workspace + (number * spec_.rank + work_.row) * layout_.row, layout_.row};
  }

  // Leaves the sums of a chunk that has a position.
  void multiply_chunk(int64_t chunk, const Panel<float>& sums) const {
    const int64_t begin = chunk * kChunk, end = std::min(begin + kChunk, work_.length);
    const Panel<float> x = panel(layout_.x);
    for (int64_t j = begin; j < end; j += layout_.depth) {
      positions(j).load(x);
      const int64_t groups = (work_.rows + kGroup - 1) / kGroup;
      for (int64_t group = 0; group < groups; ++group) {
        const Rows weight = weights(group, j);
        multiply(factor(weight), {x.at, x.row}, int(weight.rows), int(spec_.head_dim),
                 int(weight.columns), j > begin, {sums.at + group * kGroup * sums.row, sums.row});
      }
    }
  }

  // Those from j on that are multiplied together; none behind the length.
  Rows positions(int64_t j) const {
    return {
        operands_.x,
        spec_.dtype,
        work_.batch * spec_.x_stride[0] + j * spec_.x_stride[1] + work_.head * spec_.x_stride[2],
        spec_.x_stride[1],
        std::clamp<int64_t>(work_.length - j, 0, layout_.depth),
        spec_.head_dim};
  }

  // Of a group of rows those columns.
  Rows weights(int64_t group, int64_t j) const {
    const int64_t row = group * kGroup;
    return {operands_.weight,
            spec_.dtype,
            work_.head * spec_.weight_stride[0] + (work_.row + row) * spec_.weight_stride[1] + j,
            spec_.weight_stride[1],
            std::min(kGroup, work_.rows - row),
            std::clamp<int64_t>(work_.length - j, 0, layout_.depth)};
  }

  // An element of weight is read once for each block of columns: in float32 from where it lies.
  Factor factor(const Rows& weight) const {
    if (weight.dtype == FOVEA_FLOAT32) {
      return {static_cast<const float*>(weight.at), weight.stride, 1};
    }
    const Panel<float> to = {run_.scratch + layout_.weight, layout_.weight_row};
    weight.load(to);
    return {to.at, to.row, 1};
  }

  void add(const Panel<float>& sums, const Panel<float>& totals) const {
    for (int64_t i = 0; i < work_.rows * totals.row; i += kLanes) {
      store(totals.at + i, load(totals.at + i) + load(sums.at + i));
    }
  }

  void store_out(const Panel<float>& totals) const {
    RowsOut(operands_.out, spec_.out_dtype, spec_.batch * spec_.rank * spec_.heads * spec_.head_dim,
            spec_.out_stride[1], spec_.head_dim)
        .store(totals, work_.rows,
               work_.batch * spec_.out_stride[0] + work_.row * spec_.out_stride[1] +
                   work_.head * spec_.out_stride[2]);
  }

  const Spec& spec_;
  const ForwardOperands& operands_;
  const ForwardScratch& layout_;
  const ForwardWork& work_;
  const ForwardRun& run_;
};

}  // namespace fovea::projection::cpu::FOVEA_TIER
