// Which numbers and states a rule of an optimizer goes with.

#include "core/block.h"
#include "ops/optimizer/optimizer.h"

namespace fovea::optimizer {
namespace {

using Error = char[FOVEA_ERROR_LENGTH];

// Of a parameter: products, sums, quotients and roots.
constexpr double kFlops[] = {9, 15, 11};

int32_t refuse(const char* what, const char* why, Error& error) {
  return fail(error, FOVEA_UNSUPPORTED, "%s %s", what, why);
}

int32_t check_momentum(const Spec& spec, Error& error) {
  if (spec.rule != FOVEA_SGD) {
    if (!spec.nesterov) return FOVEA_OK;
    return refuse("nesterov", "is for SGD: other rules do not look ahead", error);
  }
  if (spec.beta1 > 0) return FOVEA_OK;
  if (spec.nesterov) return refuse("nesterov", "is given without beta1", error);
  if (spec.has_mean) return refuse("mean", "is given without beta1", error);
  return FOVEA_OK;
}

int32_t check_states(const Spec& spec, Error& error) {
  constexpr const char* kRules[] = {"SGD with momentum", "AdamW", "Lion"};
  if (spec.has_square && spec.rule != FOVEA_ADAMW) {
    return refuse("square", "is for AdamW: other rules have none", error);
  }
  if (has_mean(spec) && !spec.has_mean) {
    return refuse(kRules[spec.rule], "is given without mean", error);
  }
  if (spec.rule == FOVEA_ADAMW && !spec.has_square) {
    return refuse(kRules[spec.rule], "is given without square", error);
  }
  return FOVEA_OK;
}

}  // namespace

int32_t resolve(fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (int32_t status = check_momentum(spec, plan.error)) return status;
  if (int32_t status = check_states(spec, plan.error)) return status;
  plan.flops = kFlops[spec.rule] * double(spec.batch) * double(spec.count);
  return FOVEA_OK;
}

}  // namespace fovea::optimizer
