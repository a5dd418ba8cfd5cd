// The one place that picks tiles for the CPU.

#include <algorithm>
#include <cstdio>

#include "core/attention.h"
#include "core/block.h"
#include "cpu/attention_layout.h"
#include "cpu/row_tiles.h"

namespace fovea {

int32_t pick_cpu_tier(const fovea_device_info& device, fovea_attention_plan& plan) {
  if (device.isa < FOVEA_ISA_PORTABLE || device.isa > FOVEA_ISA_AVX512) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "isa is %d, expected portable (1) to avx512 (3)", device.isa);
  }
  if (!(device.isa_available >> device.isa & 1)) {
    return fail(plan.error, FOVEA_UNSUPPORTED, "this device has no %s", kCpuTiers[device.isa].name);
  }
  plan.isa = device.isa;
  return FOVEA_OK;
}

int32_t plan_cpu(const fovea_device_info& device, fovea_attention_plan& plan) {
  if (int32_t status = pick_cpu_tier(device, plan)) return status;
  const CpuTier& tier = kCpuTiers[plan.isa];
  const fovea_attention_spec& spec = plan.spec;
  // Keys per tile: flat from 64 to 256; a constant of the head dims, so that a row's bits depend on
  // nothing else. Large heads take half of it to stay in L2.
  const int tile_keys = spec.head_dim + spec.value_head_dim <= 512 ? 128 : 64;
  // Queries per tile: as many as share half of L2 with the tile's keys and values, because each
  // tile of queries packs every key again; fewer where the workers would run out of items.
  const int width = kPanelVectors * tier.lanes;
  const int64_t cache = device.cache_bytes > 0 ? device.cache_bytes : 512 << 10;
  const int64_t dims = spec.head_dim + spec.value_head_dim;
  const int64_t fitting = (cache / 2 / 4 - tile_keys * (dims + width)) / dims;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  const int64_t sequences = spec.batch * spec.key_heads;
  const int64_t wanted = 4 * std::max<int64_t>(1, device.multiprocessors);
  const int64_t most = std::clamp<int64_t>(fitting / width, 1, 1024 / width);
  const int64_t panels = std::max<int64_t>(1, (rows + width - 1) / width);
  int64_t tiles = (panels + most - 1) / most;
  if (sequences > 0)
    tiles = std::max(tiles, std::min(panels, (wanted + sequences - 1) / sequences));
  const int64_t tile = (panels + tiles - 1) / tiles * width;

  plan.tile_queries = int32_t(tile);
  plan.tile_keys = tile_keys;
  plan.phases = 1;
  plan.items[0] = RowTiles(spec, tile).count() * spec.key_heads;
  plan.workspace_bytes = 0;
  const AttentionLayout layout(plan.tile_queries, tile_keys, tier.lanes, tier.group, spec.head_dim,
                               spec.value_head_dim);
  plan.scratch_bytes = layout.total * int64_t{sizeof(float)};
  std::snprintf(plan.kernel, sizeof plan.kernel, "flash_cpu_%s_%dx%d", tier.name, plan.tile_queries,
                plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace fovea
