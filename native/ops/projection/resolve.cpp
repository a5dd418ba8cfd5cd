// What a spec of a projection leaves out.

#include "ops/projection/projection.h"

namespace fovea::projection {

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  // A product of [R, S] and [S, D] for each sequence and head; backward one for dx, and one for dweight.
  const int products = plan.pass == FOVEA_BACKWARD ? 1 + spec.has_dweight : 1;
  plan.flops = 2.0 * products * double(spec.batch) * double(spec.heads) * double(spec.rank) *
               double(spec.length) * double(spec.head_dim);
  return FOVEA_OK;
}

}  // namespace fovea::projection
