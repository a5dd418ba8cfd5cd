// What a spec of an activation leaves out, and what of it no table says.

#include "core/block.h"
#include "ops/activation/activation.h"
#include "ops/dropout.h"

namespace fovea::activation {

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  if (int32_t status = check_dropout(spec, plan.error)) return status;
  // Elements and parts of sums are counted in 64 bits.
  if (__int128{spec.batch} * spec.length * spec.width > (__int128{1} << 60)) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "batch %lld times length %lld times width %lld is too large", (long long)spec.batch,
                (long long)spec.length, (long long)spec.width);
  }
  // Of any of the functions, whose dearest takes some 30 operations.
  plan.flops = 40.0 * double(spec.batch) * double(spec.length) * double(spec.width);
  return FOVEA_OK;
}

}  // namespace fovea::activation
