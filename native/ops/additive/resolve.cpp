// What a spec of additive attention may say beside what its declaration does, and what it leaves out.

#include "ops/additive/additive.h"
#include "ops/masking.h"

namespace fovea::additive {

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  const bool backward = plan.pass == FOVEA_BACKWARD;
  if (int32_t status = check_heads(spec, plan.error)) return status;
  if (int32_t status = check_dropout(spec, plan.error)) return status;
  if (int32_t status = check_top_weights(spec, plan.error)) return status;
  set_mask_defaults(spec, spec.has_weights);
  // Per pair, a tanh counting as one: q + k, tanh, times w and its sum in a score; times v and its sum.
  // Backward, the scores again; with du = ds w (1 - t^2) its products are two, 1 - t^2 two, and the sums
  // of dquery, dkey and, where asked, dweight one, one and two; <dout, v> and dvalue two each.
  const double dim = double(spec.head_dim), value_dim = double(spec.value_head_dim);
  const double pair =
      backward ? (10 + (spec.has_dweight ? 2 : 0)) * dim + 4 * value_dim : 4 * dim + 2 * value_dim;
  plan.flops = pair * visible_pairs(spec);
  return FOVEA_OK;
}

}  // namespace fovea::additive
