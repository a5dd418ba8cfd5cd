// What no table says of a spec of cross-entropy.

#include "ops/cross_entropy/cross_entropy.h"

namespace fovea::cross_entropy {

int32_t resolve(fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  // An exponential, at sixteen, and a few additions and multiplications for each logit.
  plan.flops = 20.0 * double(spec.batch) * double(spec.length) * double(spec.classes);
  return FOVEA_OK;
}

}  // namespace fovea::cross_entropy
