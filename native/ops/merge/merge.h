// The merge of partial results as every backend sees it.
#pragma once

#include "ops/merge/operation.h"

namespace fovea::merge {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

}  // namespace fovea::merge
