// Distance attention as every backend sees it.
#pragma once

#include "ops/distance/operation.h"

namespace fovea::distance {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

inline bool is_linear(const Spec& spec) { return spec.fit == FOVEA_LOCAL_LINEAR; }

}  // namespace fovea::distance
