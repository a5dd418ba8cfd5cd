// What a spec of a rotary position embedding leaves out, and what its sizes must be together.

#include "core/block.h"
#include "ops/rotary/rotary.h"

namespace fovea::rotary {

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  if (2 * spec.pairs > spec.head_dim) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "pairs is %lld, expected at most half of head_dim, which is %lld",
                (long long)spec.pairs, (long long)spec.head_dim);
  }
  if (!spec.has_positions && spec.position_count < spec.length) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "position_count is %lld, expected at least length, which is %lld: without positions the "
                "tables have a row for each of a sequence",
                (long long)spec.position_count, (long long)spec.length);
  }
  plan.flops = 6.0 * double(spec.batch) * double(spec.length) * double(spec.heads) * double(spec.pairs);
  return FOVEA_OK;
}

}  // namespace fovea::rotary
