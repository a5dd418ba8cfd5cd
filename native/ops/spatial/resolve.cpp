// What a spec of spatial attention may say beside what its declaration does, and what it leaves out.

#include "ops/image.h"
#include "ops/spatial/spatial.h"

namespace fovea::spatial {

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  const bool backward = plan.pass == FOVEA_BACKWARD;
  double elements = 0;
  if (int32_t status = resolve_images(spec, elements, plan.error)) return status;
  if (spec.kernel_size % 2 == 0) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "kernel_size is %lld, expected an odd number: an even one has no middle",
                (long long)spec.kernel_size);
  }
  // An element's share of mean and maximum, and its product; backward of a sum, too, and a sum more. The
  // convolution, and backward this again, its transpose, and where asked the gradient of its weight.
  const double pixels = elements / double(spec.channels);
  const double convolution =
      2 * pixels * double(spec.maps) * double(spec.kernel_size) * double(spec.kernel_size);
  const int convolutions = backward ? 2 + spec.has_dweight : 1;
  plan.flops = (backward ? 6 : 3) * elements + convolutions * convolution;
  return FOVEA_OK;
}

}  // namespace fovea::spatial
