// What a spec of channel attention may say beside what its declaration does, and what it leaves out.

#include "ops/channel/channel.h"
#include "ops/image.h"

namespace fovea::channel {

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  const bool backward = plan.pass == FOVEA_BACKWARD;
  double elements = 0;
  if (int32_t status = resolve_images(spec, elements, plan.error)) return status;
  // An element's share of the mean, and its product; backward of two sums, a product and a sum. Two layers,
  // and backward these again, their two transposes, and where asked their products with what they read.
  const double layer = 2 * double(spec.batch) * double(spec.channels) * double(spec.hidden);
  const int layers = backward ? 4 + spec.has_dweight1 + spec.has_dweight2 : 2;
  plan.flops = (backward ? 5 : 2) * elements + layers * layer;
  return FOVEA_OK;
}

}  // namespace fovea::channel
