// What a merge takes, counted: its table says all the rest.

#include "ops/merge/merge.h"

namespace fovea::merge {

int32_t resolve(fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const double rows = double(spec.batch) * double(spec.query_length) * double(spec.query_heads);
  // A product and a sum for each element of a part.
  plan.flops = 2 * rows * double(spec.parts) * double(spec.value_head_dim);
  return FOVEA_OK;
}

}  // namespace fovea::merge
