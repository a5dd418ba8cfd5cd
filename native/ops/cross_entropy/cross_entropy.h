// Cross-entropy as every backend sees it.
#pragma once

#include "ops/cross_entropy/operation.h"

namespace fovea::cross_entropy {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

inline int64_t rows_of(const Spec& spec) { return spec.batch * spec.length; }

// Whether the sum of the weights of all classes is needed.
inline bool sums_weights(const Spec& spec) {
  return spec.has_class_weight && spec.label_smoothing > 0;
}

}  // namespace fovea::cross_entropy
