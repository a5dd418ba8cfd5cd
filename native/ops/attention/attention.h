// Attention as every backend sees it.
#pragma once

#include "ops/attention/operation.h"

namespace fovea::attention {

inline Spec& spec_of(fovea_plan& plan) { return *reinterpret_cast<Spec*>(plan.spec); }
inline const Spec& spec_of(const fovea_plan& plan) {
  return *reinterpret_cast<const Spec*>(plan.spec);
}
static_assert(sizeof(Spec) <= sizeof(fovea_plan::spec));

// Whether anything but the scale and what positions mask stands between product and softmax.
[[gnu::always_inline]] inline bool modifies_scores(const Spec& spec) {
  return spec.has_modifier_program || spec.softcap != 0 || spec.bias_dtype != 0 || spec.has_relative_table ||
         spec.has_alibi_slopes || spec.has_gaussian_centers || spec.has_spans || spec.has_mask ||
         spec.has_tree_mask;
}

// Whether scores are modified in natural units: others may come in those of log2.
inline bool modifies_in_natural_units(const Spec& spec) {
  return spec.has_modifier_program || spec.softcap > 0;
}

// Whether a mask leaves gaps: what a row sees is no interval of keys.
inline bool is_sparse(const Spec& spec) { return spec.has_block_offsets || spec.has_image_width; }

// Whether something multiplies a weight between softmax and product.
inline bool multiplies_weights(const Spec& spec) { return spec.dropout != 0 || spec.has_key_gates; }

// A gate of a head, not one of each element of out.
inline bool gates_heads(const int64_t (&stride)[4]) { return stride[3] == 0; }

}  // namespace fovea::attention
