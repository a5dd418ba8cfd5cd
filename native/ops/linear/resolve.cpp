// What a spec of linear attention may say beside what its declaration does, and what it leaves out.

#include "ops/linear/linear.h"
#include "ops/masking.h"

namespace fovea::linear {
namespace {

int32_t refuse(const char* what, const char* why, Error& error) {
  return fail(error, FOVEA_UNSUPPORTED, "%s %s", what, why);
}

// Combinations that have no meaning.
int32_t check_rules(const Spec& spec, Error& error) {
  if (!spec.causal && has_decay(spec)) {
    return refuse("decay and key_decay", "need causal: they depend on the order of keys", error);
  }
  if (!spec.causal && has_delta(spec)) {
    return refuse("beta", "needs causal: the delta rule depends on the order of keys", error);
  }
  if (spec.normalised && has_delta(spec)) {
    return refuse("beta", "with normalised: the delta rule has no sum of weights", error);
  }
  if (spec.normalised && spec.has_scale) {
    return refuse("scale", "with normalised: the sum of weights takes it away again", error);
  }
  if (!spec.normalised && (spec.has_initial_sum || spec.has_final_sum)) {
    return refuse("initial_sum and final_sum", "need normalised", error);
  }
  return FOVEA_OK;
}

}  // namespace

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  if (int32_t status = check_heads(spec, plan.error)) return status;
  if (int32_t status = check_rules(spec, plan.error)) return status;
  if (!spec.has_scale) spec.scale = 1;
  spec.has_scale = 1;
  if (spec.packed) {
    spec.query_length = std::min(spec.query_length, spec.query_total);
    spec.key_length = std::min(spec.key_length, spec.key_total);
  }
  // A multiplication and an addition for each element of a state that a row changes or reads; a decay
  // multiplies alone. Backward, states change once more for a query, and dquery, dkey and dvalue read them;
  // the delta rule reads and changes them once more for each key in either direction.
  const bool backward = plan.pass == FOVEA_BACKWARD;
  const double state = double(spec.head_dim) * double(spec.value_head_dim);
  const double keys = double(spec.batch) * double(spec.key_length) * double(spec.key_heads);
  const double queries = double(spec.batch) * double(spec.query_length) * double(spec.query_heads);
  const double decays = has_decay(spec) ? 1 : 0, deltas = has_delta(spec) ? 2 : 0;
  plan.flops = backward ? state * (keys * (6 + 3 * decays + 4 * deltas) + queries * 6)
                        : state * (keys * (2 + decays + deltas) + queries * 2);
  return FOVEA_OK;
}

}  // namespace fovea::linear
