// The one place that cuts the work of linear attention on the CPU.

#include <algorithm>
#include <cstdio>

#include "cpu/linear/layout.h"
#include "cpu/linear/passes.h"
#include "cpu/tier.h"

namespace fovea::linear::cpu {
namespace {

// A column of a state depends on no other. So where there are few states their columns are dealt out too:
// each part loads the rows of keys anew, for which it should have at least four vectors.
int64_t parts_of(const Spec& spec, int64_t columns, const fovea_device_info& device) {
  const int64_t states = std::max<int64_t>(1, spec.batch * spec.key_heads);
  const int64_t wanted = 2 * std::max<int64_t>(1, device.multiprocessors);
  const int64_t most = std::max<int64_t>(1, blocks_of(columns) / 4);
  return std::clamp<int64_t>((wanted + states - 1) / states, 1, most);
}

void name_kernel(const char* name, fovea_plan& plan) {
  std::snprintf(plan.kernel, sizeof plan.kernel, "%s_%s", name,
                fovea::cpu::kTiers[plan.isa].name);
}

void set_tiles(const Spec& spec, fovea_plan& plan) {
  plan.tile_keys = chunk_tokens(spec);
  plan.tile_queries = int32_t(plan.tile_keys * (spec.query_heads / spec.key_heads));
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  set_tiles(spec, plan);
  plan.phases = 1;
  const int64_t parts = parts_of(spec, spec.value_head_dim, device);
  plan.items[0] = spec.batch * spec.key_heads * parts;
  plan.scratch_bytes = Scratch(spec, state_columns(plan)).total * int64_t{sizeof(float)};
  name_kernel("linear_cpu", plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  set_tiles(spec, plan);
  plan.phases = kPhases;
  const int64_t states = spec.batch * spec.key_heads;
  const int64_t value_parts = parts_of(spec, spec.value_head_dim, device);
  const int64_t key_parts = parts_of(spec, spec.head_dim, device);
  plan.items[kStartPhase] = spec.normalised ? states : has_delta(spec) ? states * value_parts : 0;
  plan.items[kValuePhase] = states * value_parts;
  plan.items[kQueryPhase] = plan.items[kKeyPhase] = states * key_parts;
  plan.items[kSumPhase] = spec.has_ddecay || spec.has_dbeta ? spec.key_heads : 0;
  if (int32_t status = set_workspace(workspace_of(spec), plan)) return status;
  plan.scratch_bytes = Scratch(spec, state_columns(plan)).total * int64_t{sizeof(float)};
  name_kernel("linear_cpu_backward", plan);
  return FOVEA_OK;
}

}  // namespace fovea::linear::cpu
