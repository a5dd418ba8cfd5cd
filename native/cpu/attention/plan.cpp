// The one place that picks attention's tiles for the CPU.

#include <algorithm>
#include <cstdio>

#include "cpu/attention/backward_layout.h"
#include "cpu/attention/forward_layout.h"
#include "cpu/attention/passes.h"
#include "cpu/tier.h"

namespace fovea::attention::cpu {

namespace {

// Whether products take pairs of bfloat16: keys of distances, and queries with a bias, are multiplied as float32, and
// so are gradients of out that something else is multiplied with. Tiles take caches of bytes, too, all of whose numbers
// bfloat16 has.
bool has_pairs(const Spec& spec, int isa) {
  const int32_t cache = spec.cache_dtype;
  const bool has_bytes = cache == FOVEA_INT8 || cache == FOVEA_INT4X2 || cache == FOVEA_FLOAT8_E4M3;
  return spec.dtype == FOVEA_BFLOAT16 && (cache == FOVEA_BFLOAT16 || (has_bytes && isa == FOVEA_ISA_AMX)) &&
         spec.head_dim % 2 == 0 && !spec.has_position_keys && !spec.has_content_bias;
}

bool has_backward_pairs(const Spec& spec, int isa) {
  return has_pairs(spec, isa) && spec.out_dtype == FOVEA_BFLOAT16 && spec.value_head_dim % 2 == 0 &&
         spec.dropout == 0 && spec.output_gates_dtype == 0;
}

// Where there are fewer items than the workers want, these share the keys of each.
void share_keys(const fovea::cpu::Tier& tier, int64_t wanted, fovea_plan& plan) {
  constexpr int64_t kMostBytes = 64 << 20;
  const Spec& spec = spec_of(plan);
  const int64_t items = plan.items[0], parts = parts_of(spec.key_length);
  if (items == 0 || items >= wanted || parts < 2 || spec.has_weights || spec.has_top_weights) return;
  const PartLayout layout(plan.tile_queries, tier, spec);
  const __int128 bytes = __int128{items} * parts * layout.total * int64_t{sizeof(float)};
  if (bytes > kMostBytes) return;
  plan.phases = 2;
  plan.items[0] = items * parts;
  plan.items[1] = items;
  plan.workspace_bytes = int64_t(bytes);
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  if (fovea::cpu::is_of_pairs(device.isa) && has_pairs(spec_of(plan), device.isa)) plan.isa = device.isa;
  const fovea::cpu::Tier& tier = fovea::cpu::kTiers[plan.isa];
  const Spec& spec = spec_of(plan);
  // Keys per tile: flat from 64 to 256; a constant of the head dims, so that a row's bits depend on
  // nothing else. Large heads take half of it to stay in L2.
  const int tile_keys = spec.head_dim + spec.value_head_dim <= 512 ? 128 : 64;
  // Queries per tile: as many as share half of L2 with the tile's keys and values, because each
  // tile of queries packs every key again; fewer where the workers would run out of items.
  const int width = kPanelVectors * tier.lanes;
  const int64_t cache = device.cache_bytes > 0 ? device.cache_bytes : 512 << 10;
  const int64_t dims = spec.head_dim + spec.value_head_dim;
  // With keys of distances, a band for each row and key, and rows of queries once more.
  const int64_t bands = position_bands(spec) * spec.head_dim;
  const int64_t of_rows = dims + (spec.has_position_keys ? 2 * spec.head_dim : 0);
  const int64_t fitting = (cache / 2 / 4 - tile_keys * (dims + width + bands)) / of_rows;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  const int64_t sequences = spec.batch * spec.key_heads;
  const int64_t wanted = 4 * std::max<int64_t>(1, device.multiprocessors);
  int64_t most = std::clamp<int64_t>(fitting / width, 1, 1024 / width);
  if (spec.has_block_offsets) {  // a tile packs the keys of every list that its rows have
    const int64_t group = spec.query_heads / spec.key_heads;
    const int64_t block = std::min(spec.block_queries, spec.query_length) * group;
    most = std::clamp<int64_t>((block + width - 1) / width, 1, most);
  }
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
  share_keys(tier, wanted, plan);
  const ForwardLayout layout(plan.tile_queries, tile_keys, tier, spec);
  plan.scratch_bytes = layout.total * int64_t{sizeof(float)};
  std::snprintf(plan.kernel, sizeof plan.kernel, "flash_cpu_%s_%dx%d", tier.name, plan.tile_queries,
                plan.tile_keys);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  if (fovea::cpu::is_of_pairs(device.isa) && has_backward_pairs(spec, device.isa)) plan.isa = device.isa;
  // Constants of the head dims, so that bits depend on nothing else. Each tile of keys reads all
  // rows that see it: the more keys, the less traffic (256 instead of 128: 2 to 5 %), but a worker
  // holds five copies of them.
  using fovea::cpu::kMostTileKeys;
  plan.tile_queries = fovea::cpu::kMostTileRows;
  plan.tile_keys = spec.head_dim + spec.value_head_dim <= 512 ? kMostTileKeys : kMostTileKeys / 2;

  const BackwardPieces pieces(plan);
  plan.phases = kBackwardPhases;
  fovea::cpu::plan_rows_and_keys(spec, key_chunks(spec.key_length), plan);
  if (spec.has_dbias) {
    plan.items[kBiasPhase] = pieces.bias_tiles.count() * pieces.bias_heads * pieces.bias_keys;
  }
  plan.items[kHeadPhase] = pieces.heads;
  plan.items[kPositionPhase] = pieces.position_heads * pieces.position_tiles;

  if (int32_t status = fovea::cpu::plan_memory(spec, BackwardWorkspace(plan),
                                               BackwardScratch(plan).total, plan)) {
    return status;
  }
  std::snprintf(plan.kernel, sizeof plan.kernel, "flash_cpu_backward_%s_%dx%d",
                fovea::cpu::kTiers[plan.isa].name, plan.tile_queries, plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace fovea::attention::cpu
