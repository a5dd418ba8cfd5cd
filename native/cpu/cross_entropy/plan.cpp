// The one place that cuts the work of cross-entropy for the CPU.

#include <algorithm>

#include "cpu/cross_entropy/layout.h"
#include "cpu/cross_entropy/passes.h"
#include "cpu/tier.h"

namespace fovea::cross_entropy::cpu {
namespace {

int32_t plan_pass(const fovea_device_info& device, const char* name, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  // Of an item, so that what a worker takes anew each time is little beside it.
  constexpr int64_t kElements = 32768;
  plan.tile_queries = int32_t(std::max<int64_t>(1, kElements / spec.classes));
  plan.tile_keys = int32_t(spec.classes);
  plan.phases = kPhases;
  plan.items[kCheckPhase] = parts_of(rows_of(spec), kCheckedRows);
  plan.items[kRowPhase] = parts_of(rows_of(spec), plan.tile_queries);
  plan.workspace_bytes = sums_weights(spec) ? int64_t{sizeof(float)} : 0;
  fovea::cpu::name_kernel(name, plan);
  return FOVEA_OK;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass(device, "cross_entropy_cpu", plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass(device, "cross_entropy_cpu_backward", plan);
}

}  // namespace fovea::cross_entropy::cpu
