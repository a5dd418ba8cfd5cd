// The one place that cuts the work of activation for the CPU.

#include <cstdio>

#include "cpu/activation/layout.h"
#include "cpu/activation/passes.h"
#include "cpu/tier.h"

namespace fovea::activation::cpu {
namespace {

int32_t plan_pass(const fovea_device_info& device, const char* suffix, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  const Cut cut(spec);
  plan.tile_queries = int32_t(cut.tile_rows);
  plan.tile_keys = int32_t(cut.tile_columns);
  plan.items[kElementPhase] = cut.row_tiles * cut.column_tiles;
  char name[64];
  std::snprintf(name, sizeof name, "activation_cpu%s_%s", suffix, name_of(spec.function));
  fovea::cpu::name_kernel(name, plan);
  return FOVEA_OK;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  plan.phases = kForwardPhases;
  return plan_pass(device, "", plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = plan_pass(device, "_backward", plan)) return status;
  const Spec& spec = spec_of(plan);
  const Cut cut(spec);
  plan.phases = kBackwardPhases;
  if (!Needs(spec).any()) plan.items[kElementPhase] = 0;
  if (spec.has_dbias) {
    plan.items[kSumPhase] = (spec.width + kSumColumns - 1) / kSumColumns;
    plan.workspace_bytes = cut.row_tiles * cut.sum_stride * int64_t{sizeof(float)};
  }
  return FOVEA_OK;
}

}  // namespace fovea::activation::cpu
