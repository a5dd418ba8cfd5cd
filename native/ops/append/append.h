// An append to a cache as every backend sees it.
#pragma once

#include "ops/append/operation.h"

namespace fovea::append {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

// Keys, or values: new rows, and where they go.
struct Rows {
  const void* from;
  void* cache;
  float* scales;
  const int64_t (&from_stride)[3], (&cache_stride)[3], (&scales_stride)[2];
  int64_t columns;
  bool scaled;
  int64_t pairs;  // that are rotated together

  // Whether rows of a page, or of a sequence without pages, have one scale.
  bool shares_scale() const { return scaled && scales_stride[1] == 0; }
};

inline Rows keys_of(const Spec& spec, const ForwardOperands& operands) {
  return {operands.key,          operands.key_cache,     operands.key_scales, spec.key_stride,
          spec.key_cache_stride, spec.key_scales_stride, spec.head_dim,       spec.has_key_scales != 0,
          spec.pairs};
}

// Of no columns where there are none.
inline Rows values_of(const Spec& spec, const ForwardOperands& operands) {
  return {operands.value,
          operands.value_cache,
          operands.value_scales,
          spec.value_stride,
          spec.value_cache_stride,
          spec.value_scales_stride,
          spec.has_value ? spec.value_head_dim : 0,
          spec.has_value_scales != 0,
          0};
}

inline bool shares_scale(const Spec& spec) {
  return keys_of(spec, {}).shares_scale() || values_of(spec, {}).shares_scale();
}

}  // namespace fovea::append
