// What a spec of attention may say beside what its declaration does, and what it leaves out.

#include <cmath>

#include "ops/attention/attention.h"
#include "ops/masking.h"

namespace fovea::attention {

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  if (int32_t status = check_heads(spec, plan.error)) return status;
  if (int32_t status = check_dropout(spec, plan.error)) return status;
  set_mask_defaults(spec, spec.bias_dtype != 0 || spec.has_weights);
  if (!spec.has_scale) spec.scale = float(1.0 / std::sqrt(double(spec.head_dim)));
  // Five products in the backward pass where the forward has two.
  plan.flops = 2.0 * double(spec.head_dim + spec.value_head_dim) * visible_pairs(spec) *
               (plan.pass == FOVEA_BACKWARD ? 2.5 : 1.0);
  return FOVEA_OK;
}

}  // namespace fovea::attention
