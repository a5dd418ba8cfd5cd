// What a spec of an embedding leaves out, and what its sizes must be together.

#include "ops/embedding/embedding.h"
#include "ops/masking.h"

namespace fovea::embedding {
namespace {

int32_t check_positions(const Spec& spec, Error& error) {
  if (int32_t status = check_needs({"position_ids", spec.has_position_ids},
                                   {"positions", spec.has_positions}, error)) {
    return status;
  }
  if (!spec.has_positions || spec.has_position_ids || spec.position_count >= spec.length) {
    return FOVEA_OK;
  }
  return fail(error, FOVEA_INVALID_ARGUMENT,
              "position_count is %lld, expected at least length, which is %lld: without "
              "position_ids positions have a row for each of a sequence",
              (long long)spec.position_count, (long long)spec.length);
}

}  // namespace

int32_t resolve(fovea_plan& plan) {
  Spec& spec = spec_of(plan);
  if (int32_t status = check_positions(spec, plan.error)) return status;
  if (spec.has_padding && spec.padding >= spec.vocabulary) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "padding is %lld, expected less than vocabulary, which is %lld",
                (long long)spec.padding, (long long)spec.vocabulary);
  }
  if (plan.pass == FOVEA_BACKWARD && tokens_of(spec) > kMaxLength) {
    return fail(plan.error, FOVEA_UNSUPPORTED,
                "batch %lld times length %lld is too large: a backward pass takes %lld ids at most",
                (long long)spec.batch, (long long)spec.length, (long long)kMaxLength);
  }
  if (!spec.has_scale) spec.scale = 1;
  spec.has_scale = 1;
  // A multiplication and an addition for each element of out; or an addition for each element of dout and
  // gradient, and a multiplication for each that is written.
  const double tokens = double(tokens_of(spec)), width = double(spec.width);
  const double table = spec.has_dtable ? tokens + 2 * double(spec.vocabulary) : 0;
  const double positions = spec.has_dpositions ? tokens + 2 * double(spec.position_count) : 0;
  plan.flops = width * (plan.pass == FOVEA_FORWARD ? 2 * tokens : table + positions);
  return FOVEA_OK;
}

}  // namespace fovea::embedding
