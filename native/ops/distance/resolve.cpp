// What a spec of distance attention may say beside what its declaration does, and what it leaves out.

#include "ops/distance/distance.h"
#include "ops/masking.h"

namespace fovea::distance {

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  const bool backward = plan.pass == FOVEA_BACKWARD;
  if (int32_t status = check_heads(spec, plan.error)) return status;
  if (int32_t status = check_dropout(spec, plan.error)) return status;
  if (int32_t status = check_top_weights(spec, plan.error)) return status;
  set_mask_defaults(spec, spec.has_weights);
  // Per pair, a difference, its square and the sum in a score; times v and its sum. Backward, the scores
  // again; in each of dquery and dkey a difference, a product and the sum; <dout, v> and dvalue two each.
  const double dim = double(spec.head_dim), value_dim = double(spec.value_head_dim);
  const double pair = backward ? 9 * dim + 4 * value_dim : 3 * dim + 2 * value_dim;
  plan.flops = pair * visible_pairs(spec);
  return FOVEA_OK;
}

}  // namespace fovea::distance
