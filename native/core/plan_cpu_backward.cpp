// The one place that picks tiles for the backward pass on a CPU.

#include <cstdio>

#include "core/attention.h"
#include "core/block.h"
#include "cpu/backward_layout.h"

namespace fovea {

int32_t plan_cpu_backward(const fovea_device_info& device, fovea_attention_plan& plan) {
  if (int32_t status = pick_cpu_tier(device, plan)) return status;
  const fovea_attention_spec& spec = plan.spec;
  // Constants of the head dims, so that bits depend on nothing else. Each tile of keys reads all
  // rows that see it: the more keys, the less traffic (256 instead of 128: 2 to 5 %), but a worker
  // holds five copies of them.
  plan.tile_queries = kMostTileRows;
  plan.tile_keys = spec.head_dim + spec.value_head_dim <= 512 ? kMostTileKeys : kMostTileKeys / 2;

  const BackwardPieces pieces(plan);
  plan.phases = kBackwardPhases;
  plan.items[kRowPhase] = pieces.row_tiles.count() * spec.key_heads;
  plan.items[kKeyPhase] = pieces.chunks * spec.batch * spec.key_heads;
  plan.items[kQueryPhase] = plan.items[kRowPhase];
  if (plan.gradients.has_dbias) {
    plan.items[kBiasPhase] = pieces.bias_tiles.count() * pieces.bias_heads * pieces.bias_keys;
  }
  if (plan.gradients.has_dsinks || plan.gradients.has_dalibi) plan.items[kHeadPhase] = pieces.heads;

  const BackwardWorkspace workspace(plan);
  if (workspace.total > (__int128{1} << 60)) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "the gradients of %lld rows and %lld heads need more than 2^62 bytes of workspace",
                (long long)workspace.rows, (long long)spec.query_heads);
  }
  plan.workspace_bytes = int64_t(workspace.total) * int64_t{sizeof(float)};
  plan.scratch_bytes = BackwardScratch(plan).total * int64_t{sizeof(float)};
  std::snprintf(plan.kernel, sizeof plan.kernel, "flash_cpu_backward_%s_%dx%d",
                kCpuTiers[plan.isa].name, plan.tile_queries, plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace fovea
