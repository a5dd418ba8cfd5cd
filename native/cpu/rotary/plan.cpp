// The one place that cuts the work of rotary position embedding for the CPU.

#include <algorithm>

#include "cpu/rotary/passes.h"
#include "cpu/tier.h"
#include "ops/rotary/rotary.h"

namespace fovea::rotary::cpu {
namespace {

int32_t plan_pass(const fovea_device_info& device, const char* name, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  // Of a tile, so that what a worker takes anew each time is little beside it.
  constexpr int64_t kElements = 32768;
  const int64_t rows = std::clamp<int64_t>(kElements / (spec.heads * spec.head_dim), 1,
                                           std::max<int64_t>(1, spec.length));
  plan.tile_queries = int32_t(rows);
  plan.tile_keys = int32_t(spec.head_dim);
  plan.phases = 1;
  plan.items[0] = spec.batch * ((spec.length + rows - 1) / rows);
  fovea::cpu::name_kernel(name, plan);
  return FOVEA_OK;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass(device, "rotary_cpu", plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass(device, "rotary_cpu_backward", plan);
}

}  // namespace fovea::rotary::cpu
