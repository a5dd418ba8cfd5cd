// The one place that cuts the work of normalization for the CPU.

#include "cpu/norm/layout.h"
#include "cpu/norm/passes.h"
#include "cpu/tier.h"

namespace fovea::norm::cpu {
int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  // Of a tile, so that what a worker takes anew each time is little beside it.
  constexpr int64_t kElements = 32768;
  const int64_t all = spec.batch * spec.length;
  const int64_t positions =
      std::clamp<int64_t>(kElements / (spec.heads * spec.width), 1, std::max<int64_t>(1, all));
  plan.tile_queries = int32_t(positions);
  plan.tile_keys = int32_t(spec.width);
  plan.phases = 1;
  plan.items[0] = (all + positions - 1) / positions;
  fovea::cpu::name_kernel(spec.centered ? "norm_cpu_layer" : "norm_cpu_rms", plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  const Parts parts(spec);
  plan.tile_queries = int32_t(parts.positions);
  plan.tile_keys = int32_t(spec.width);
  plan.phases = kBackwardPhases;
  plan.items[kRowPhase] = parts.count;
  if (has_sums(spec)) {
    plan.items[kSumPhase] = parts.heads * sum_blocks(spec);
    plan.workspace_bytes = parts.offset(parts.count, 0) * int64_t{sizeof(float)};
  }
  fovea::cpu::name_kernel(spec.centered ? "norm_cpu_layer_backward" : "norm_cpu_rms_backward", plan);
  return FOVEA_OK;
}

}  // namespace fovea::norm::cpu
