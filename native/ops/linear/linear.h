// Linear attention as every backend sees it.
#pragma once

#include "ops/linear/operation.h"

namespace fovea::linear {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

inline bool has_decay(const Spec& spec) {
  return spec.decay_dtype != 0 || spec.key_decay_dtype != 0;
}
inline bool has_delta(const Spec& spec) { return spec.beta_dtype != 0; }

}  // namespace fovea::linear
