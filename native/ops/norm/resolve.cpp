// What a spec of a normalization leaves out, and what no table says of it.

#include "core/block.h"
#include "ops/norm/norm.h"

namespace fovea::norm {

int32_t resolve(fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (spec.epsilon < 0) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT, "epsilon is %g, expected 0 or more",
                double(spec.epsilon));
  }
  if (spec.has_mean && !spec.centered) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "mean is wanted, but what is not centered has none");
  }
  const double elements = double(spec.batch) * double(spec.length) * double(spec.heads) *
                          double(spec.width);
  const double forward = spec.centered ? 11 : 5, sums = has_sums(spec) ? 3 : 0;
  plan.flops = elements * (spec.pass == FOVEA_FORWARD ? forward : 2 * forward + sums);
  return FOVEA_OK;
}

}  // namespace fovea::norm
