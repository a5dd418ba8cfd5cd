// Projection of sequences as every backend sees it.
#pragma once

#include "ops/projection/operation.h"

namespace fovea::projection {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

// Heads of dweight: one where all share a weight.
inline int64_t weights_of(const Spec& spec) { return spec.dweight_stride[0] == 0 ? 1 : spec.heads; }

}  // namespace fovea::projection
