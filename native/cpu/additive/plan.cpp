// The one place that picks the tiles of additive attention for the CPU.

#include <algorithm>

#include "cpu/additive/layout.h"
#include "cpu/additive/passes.h"
#include "cpu/tier.h"

namespace fovea::additive::cpu {
namespace {

// Constants of head_dim, so that a row's bits depend on nothing else; large ones take fewer keys to stay
// in L2.
int pick_tile_keys(const Spec& spec) {
  return spec.head_dim + spec.value_head_dim <= 512 ? kMostKeys : kMostKeys / 2;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  // Each tile of queries raises every key to its power again, which takes as long as six rows of it do.
  plan.tile_queries = fovea::cpu::pick_tile_rows(spec, device, fovea::cpu::kMostTileRows);
  plan.tile_keys = pick_tile_keys(spec);
  plan.phases = 1;
  plan.items[0] = fovea::cpu::RowTiles(spec, plan.tile_queries).count() * spec.key_heads;
  plan.scratch_bytes = ForwardScratch(plan).total * int64_t{sizeof(float)};
  fovea::cpu::name_kernel("additive_cpu", plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  plan.tile_queries = fovea::cpu::kMostTileRows;
  plan.tile_keys = pick_tile_keys(spec);
  plan.phases = kBackwardPhases;
  fovea::cpu::plan_rows_and_keys(spec, key_chunks(spec.key_length), plan);
  if (spec.has_dweight || spec.has_dbias) plan.items[kHeadPhase] = spec.query_heads;
  fovea::cpu::name_kernel("additive_cpu_backward", plan);
  return fovea::cpu::plan_memory(spec, BackwardWorkspace(plan), BackwardScratch(plan).total, plan);
}

}  // namespace fovea::additive::cpu
