// Normalization as every backend sees it.
#pragma once

#include "ops/norm/operation.h"

namespace fovea::norm {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

// Rows that share a row of gradients of weight and bias: those of a head, or of all where these are sums over
// heads. Where one is such a sum and the other is not, both are cut as the other.
inline int64_t heads_of_sums(const Spec& spec) {
  const bool own = (spec.has_dweight && spec.dweight_stride[0] != 0) ||
                   (spec.has_dbias && spec.dbias_stride[0] != 0);
  return own ? spec.heads : 1;
}
inline bool has_sums(const Spec& spec) { return spec.has_dweight || spec.has_dbias; }

}  // namespace fovea::norm
