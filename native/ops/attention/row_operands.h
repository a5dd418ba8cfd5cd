// Operands with one element for a query row, whose gradient is a sum over the row's keys.
#pragma once

#include <array>

#include "ops/attention/operands.h"

namespace fovea::attention {

enum RowOperand { kSlope, kCenter, kSpan, kRowOperands };

// Where the gradient of one of them goes.
struct RowGradient {
  bool wanted;
  float* to;
  int64_t stride[3];  // of batch, head and query; 0: summed over

  bool all_queries() const { return stride[2] == 0; }
  bool all_heads() const { return stride[1] == 0; }
  // Packed sequences have positions of their own, unless these are summed over.
  bool all_batches(const Spec& spec) const {
    return stride[0] == 0 && !(spec.packed && !all_queries());
  }
};

inline std::array<RowGradient, kRowOperands> row_gradients(const Spec& spec,
                                                           const BackwardOperands& operands) {
  const auto of = [](bool wanted, float* to, const int64_t (&stride)[3]) {
    return RowGradient{wanted, to, {stride[0], stride[1], stride[2]}};
  };
  const int64_t slopes[3] = {spec.dalibi_slopes_stride[0], spec.dalibi_slopes_stride[1], 0};
  return {of(spec.has_dalibi_slopes, operands.dalibi_slopes, slopes),
          of(spec.has_dgaussian_centers, operands.dgaussian_centers, spec.dgaussian_centers_stride),
          of(spec.has_dspans, operands.dspans, spec.dspans_stride)};
}

}  // namespace fovea::attention
