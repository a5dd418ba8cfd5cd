// The one place that cuts the work of a merge for the CPU.

#include "cpu/merge/plan.h"

#include <algorithm>

#include "core/block.h"
#include "cpu/tier.h"

namespace fovea::merge::cpu {
namespace {

int64_t tiles_of(int64_t size, int64_t tile) { return (size + tile - 1) / tile; }

}  // namespace

int32_t plan_merge(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  const Grid grid(spec);
  // As they lie: all heads of a few positions, or neighbours of a head. A line holds the lses of sixteen neighbours,
  // and those of the next head are a power of two away, often: a tile of one position reads it sixteen times.
  constexpr int64_t kNeighbours = 16, kFewest = 8;
  const int64_t rows = std::min(kRows, kElements / row_of(spec));
  const int64_t whole = std::clamp(rows / grid.heads, kFewest, kNeighbours);
  const int64_t most = grid.is_heads_first() ? whole : rows;
  const int64_t positions = std::clamp<int64_t>(grid.length, 1, most);
  const int64_t heads = std::min(rows / positions, grid.heads);
  plan.tile_queries = int32_t(positions);
  plan.tile_keys = int32_t(heads);
  plan.phases = 1;
  plan.scratch_bytes = sizeof(Scratch);
  if (__builtin_mul_overflow(grid.batch * tiles_of(grid.length, positions), tiles_of(grid.heads, heads),
                             &plan.items[0])) {
    return fail(plan.error, FOVEA_UNSUPPORTED, "batch, query_length and query_heads are too many rows");
  }
  fovea::cpu::name_kernel("merge_cpu", plan);
  return FOVEA_OK;
}

Tile tile_of(const fovea_plan& plan, const Grid& grid, int64_t item) {
  const int64_t positions = plan.tile_queries, heads = plan.tile_keys;
  const int64_t head_tiles = tiles_of(grid.heads, heads), position_tiles = tiles_of(grid.length, positions);
  // Tiles in the order in which the parts have them, too.
  const bool heads_first = grid.is_heads_first();
  const int64_t inner = heads_first ? head_tiles : position_tiles;
  const int64_t outer = heads_first ? position_tiles : head_tiles;
  const int64_t low = item % inner, high = item / inner % outer;
  const int64_t first = (heads_first ? high : low) * positions;
  const int64_t head = (heads_first ? low : high) * heads;
  return {item / inner / outer, first, std::min(first + positions, grid.length), head,
          std::min(head + heads, grid.heads)};
}

}  // namespace fovea::merge::cpu
