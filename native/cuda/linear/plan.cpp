// The one place that cuts the work of linear attention for a GPU.

#include "cuda/linear/plan.h"

#include <cstdio>

#include "cuda/linear/make_params.h"
#include "cuda/softmax/plan.h"

namespace fovea::linear::cuda {
namespace {

void name_kernel(const char* name, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const Cut cut(spec, Columns::kValues);
  std::snprintf(plan.kernel, sizeof plan.kernel, "%s_sm80_%s_%dx%d", name, name_of(spec.dtype),
                cut.capacity, cut.warp_columns);
}

// Those of the states of a phase.
int32_t count_states(const fovea_device_info& device, int32_t phase, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const Cut cut(spec, columns_of(phase));
  return count_items("parts of the state of each pair of batch and key head",
                     {cut.blocks_for(spec.batch * spec.key_heads, device.multiprocessors),
                      spec.batch, spec.key_heads},
                     plan.items[phase], plan.error);
}

int32_t check_chunk(const fovea_device_info& device, int32_t phase, fovea_plan& plan) {
  return check_shared(device, spec_of(plan), PlannedSweep(plan, phase).chunk.bytes, plan.error);
}

void set_tiles(fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const int64_t tokens = Cut(spec, Columns::kValues).tokens;
  const int64_t group = spec.query_heads / spec.key_heads;
  plan.isa = kLeastCapability;
  plan.tile_keys = int32_t(std::max<int64_t>(1, tokens / group));
  plan.tile_queries = int32_t(std::min(tokens, plan.tile_keys * group));
  plan.section = 1;
}

int32_t count_sums(const char* what, const Summing& summing, int32_t phase, fovea_plan& plan) {
  return count_items(what, {spec_of(plan).key_heads, summing.results, summing.tiles},
                     plan.items[phase], plan.error);
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (int32_t status = check_device(device, spec, plan.error)) return status;
  if (int32_t status = count_states(device, 0, plan)) return status;
  if (int32_t status = check_chunk(device, 0, plan)) return status;
  plan.phases = 1;
  set_tiles(plan);
  name_kernel("linear_cuda", plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (int32_t status = check_device(device, spec, plan.error)) return status;
  plan.phases = kBackwardPhases;
  for (const int32_t phase : {kStartPhase, kValuePhase, kQueryPhase, kKeyPhase}) {
    if (int32_t status = count_states(device, phase, plan)) return status;
    if (int32_t status = check_chunk(device, phase, plan)) return status;
  }
  if (spec.normalised) {
    plan.items[kStartPhase] = spec.batch * spec.key_heads;
  } else if (!has_delta(spec)) {
    plan.items[kStartPhase] = 0;
  }
  if (spec.has_ddecay) {
    if (int32_t status = count_sums("rows of ddecay", decay_summing(spec), kDecayPhase, plan)) {
      return status;
    }
  }
  if (spec.has_dbeta) {
    if (int32_t status = count_sums("rows of dbeta", beta_summing(spec), kBetaPhase, plan)) {
      return status;
    }
  }
  if (int32_t status = set_workspace(workspace_of(spec), plan)) return status;
  set_tiles(plan);
  name_kernel("linear_cuda_backward", plan);
  return FOVEA_OK;
}

}  // namespace fovea::linear::cuda
