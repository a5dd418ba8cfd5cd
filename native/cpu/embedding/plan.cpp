// The one place that cuts the work of embedding lookup for the CPU.

#include "cpu/embedding/layout.h"
#include "cpu/embedding/passes.h"
#include "cpu/tier.h"

namespace fovea::embedding::cpu {

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  // Of an item, so that what a worker takes anew each time is little beside it.
  constexpr int64_t kElements = 32768;
  const int64_t tokens = tokens_of(spec);
  plan.tile_queries = int32_t(std::max<int64_t>(1, kElements / spec.width));
  plan.tile_keys = int32_t(spec.width);
  plan.phases = kForwardPhases;
  plan.items[kCheckPhase] = checks_of(spec);
  plan.items[kLookupPhase] = parts_of(tokens, plan.tile_queries);
  fovea::cpu::name_kernel("embedding_cpu", plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  plan.tile_queries = 1;
  plan.tile_keys = int32_t(columns_of(spec, device.multiprocessors));
  const Layout layout(spec, {}, plan.tile_keys, nullptr);
  plan.phases = kBackwardPhases;
  // Indices are checked even where no gradient is wanted.
  plan.items[kListPhase] =
      std::max(checks_of(spec), layout.table.ranges + layout.positions.ranges);
  plan.items[kSumPhase] = layout.table.items() + layout.positions.items();
  plan.workspace_bytes = (layout.table.ints + layout.positions.ints) * int64_t{sizeof(int32_t)};
  fovea::cpu::name_kernel("embedding_cpu_backward", plan);
  return FOVEA_OK;
}

}  // namespace fovea::embedding::cpu
