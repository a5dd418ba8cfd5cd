// Steps of optimizers as every backend sees them.
#pragma once

#include "ops/optimizer/operation.h"

namespace fovea::optimizer {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

// Whether its rule has one.
inline bool has_mean(const Spec& spec) { return spec.rule != FOVEA_SGD || spec.beta1 > 0; }

// Rows as the work is cut: those without gaps in any operand are one.
struct Rows {
  int64_t count, length;
};

inline Rows rows_of(const Spec& spec) {
  bool gaps = spec.gradient_stride[0] != spec.count || spec.parameter_stride[0] != spec.count;
  gaps |= spec.has_mean && spec.mean_stride[0] != spec.count;
  gaps |= spec.has_square && spec.square_stride[0] != spec.count;
  gaps |= spec.has_out && spec.out_stride[0] != spec.count;
  return spec.batch > 1 && gaps ? Rows{spec.batch, spec.count} : Rows{1, spec.batch * spec.count};
}

}  // namespace fovea::optimizer
