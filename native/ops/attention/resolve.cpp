// What a spec of attention may say beside what its declaration does, and what it leaves out.

#include <cmath>

#include "ops/attention/attention.h"
#include "ops/masking.h"

namespace fovea::attention {
namespace {

int32_t check_numbers(const Spec& spec, Error& error) {
  if (spec.has_scale && !std::isfinite(spec.scale)) {
    return fail(error, FOVEA_INVALID_ARGUMENT, "scale is %g, expected a finite number",
                double(spec.scale));
  }
  if (spec.softcap != 0 && !(spec.softcap >= 0x1p-32f && spec.softcap <= 0x1p32f)) {
    return fail(error, FOVEA_INVALID_ARGUMENT,
                "softcap is %g, expected 0 (off) or a number from 2^-32 to 2^32",
                double(spec.softcap));
  }
  return check_dropout(spec, error);
}

int32_t check_gradients(const Spec& spec, Error& error) {
  if (int32_t status = check_gradient("dbias", spec.has_dbias, "bias", spec.bias_dtype, error)) {
    return status;
  }
  if (int32_t status = check_gradient("dalibi_slopes", spec.has_dalibi_slopes, "alibi_slopes",
                                      spec.has_alibi_slopes, error)) {
    return status;
  }
  if (int32_t status =
          check_gradient("dsinks", spec.has_dsinks, "sinks", spec.has_sinks, error)) {
    return status;
  }
  return check_saved(spec, error);
}

}  // namespace

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  const bool backward = plan.pass == FOVEA_BACKWARD;
  if (int32_t status = check_heads(spec, plan.error)) return status;
  if (int32_t status = check_numbers(spec, plan.error)) return status;
  if (backward) {
    if (int32_t status = check_gradients(spec, plan.error)) return status;
  }
  set_mask_defaults(spec, spec.bias_dtype != 0 || spec.has_weights);
  if (!spec.has_scale) spec.scale = float(1.0 / std::sqrt(double(spec.head_dim)));
  // Five products in the backward pass where the forward has two.
  plan.flops = 2.0 * double(spec.head_dim + spec.value_head_dim) * visible_pairs(spec) *
               (backward ? 2.5 : 1.0);
  return FOVEA_OK;
}

}  // namespace fovea::attention
