// What a spec of distance attention may say beside what its declaration does, and what it leaves out.

#include "ops/distance/distance.h"
#include "ops/masking.h"

namespace fovea::distance {
namespace {

int32_t check_fit(const Spec& spec, Error& error) {
  if (!is_linear(spec)) {
    if (spec.ridge == 0) return FOVEA_OK;
    return fail(error, FOVEA_UNSUPPORTED, "ridge needs a linear fit: a constant one has no slopes");
  }
  if (spec.head_dim <= FOVEA_MOST_FIT_DIM) return FOVEA_OK;
  return fail(
      error, FOVEA_UNSUPPORTED,
      "head_dim is %lld, and a linear fit, which has a matrix of that many rows for each query, "
      "takes up to %d",
      (long long)spec.head_dim, int(FOVEA_MOST_FIT_DIM));
}

// Per pair of a linear fit: the score again, each moment a product and a sum, and the factor of its weight;
// backward <dout, v> again and the moments of that, for each gradient of a score two factors, and their
// products with c and e.
double fit_flops(const Spec& spec, bool backward) {
  const double dim = double(spec.head_dim), moments = (dim + 1) * (dim + 2);
  const double pair = 2 * 3 * dim + moments + 4 * dim;
  return backward ? pair + 2 * double(spec.value_head_dim) + 2 * dim + 2 * 6 * dim + 4 * dim : pair;
}

}  // namespace

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  const bool backward = plan.pass == FOVEA_BACKWARD;
  if (int32_t status = check_heads(spec, plan.error)) return status;
  if (int32_t status = check_dropout(spec, plan.error)) return status;
  if (int32_t status = check_top_weights(spec, plan.error)) return status;
  if (int32_t status = check_fit(spec, plan.error)) return status;
  set_mask_defaults(spec, spec.has_weights);
  // Per pair, a difference, its square and the sum in a score; times v and its sum. Backward, the scores
  // again; in each of dquery and dkey a difference, a product and the sum; <dout, v> and dvalue two each.
  const double dim = double(spec.head_dim), value_dim = double(spec.value_head_dim);
  const double pair = backward ? 9 * dim + 4 * value_dim : 3 * dim + 2 * value_dim;
  plan.flops = (pair + (is_linear(spec) ? fit_flops(spec, backward) : 0)) * visible_pairs(spec);
  return FOVEA_OK;
}

}  // namespace fovea::distance
