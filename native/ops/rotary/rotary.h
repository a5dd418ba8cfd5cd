// Rotary position embedding as every backend sees it.
#pragma once

#include "ops/rotary/operation.h"

namespace fovea::rotary {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

// A tensor [B, S, H, D].
template <typename Address>
struct Rows {
  Address data;
  int32_t dtype;
  const int64_t (&stride)[3];
};

// What either pass does: from x to out, or back from dout to dx.
struct Turn {
  Rows<const void*> from;
  Rows<void*> to;
  bool back;
};

inline Turn turn_of(const Spec& spec, const ForwardOperands& operands) {
  return {{operands.x, spec.dtype, spec.x_stride},
          {operands.out, spec.out_dtype, spec.out_stride},
          false};
}
inline Turn turn_of(const Spec& spec, const BackwardOperands& operands) {
  return {{operands.dout, spec.out_dtype, spec.dout_stride},
          {operands.dx, spec.gradient_dtype, spec.dx_stride},
          true};
}

}  // namespace fovea::rotary
