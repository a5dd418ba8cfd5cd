// The one place that cuts the work of the projection of sequences for the CPU.

#include "cpu/projection/layout.h"
#include "cpu/projection/passes.h"
#include "cpu/tier.h"

namespace fovea::projection::cpu {
namespace {

constexpr int64_t kBlock = 6;  // rows that a product has together (cpu/product.h)
constexpr int64_t kFewestRows = 8 * kBlock;

int64_t tiles_of(int64_t size, int64_t tile) { return (size + tile - 1) / tile; }

int64_t wanted_items(const fovea_device_info& device) {
  return 4 * std::max<int64_t>(1, device.multiprocessors);
}

// Rows of weight in a tile: alike in all, and whole blocks. At most `most`, and so few that there are as
// many items as wanted where one tile makes `items`, for each loads x anew. No bit of a result hangs on it.
int64_t pick_rows(int64_t rank, int64_t most, int64_t items, int64_t wanted) {
  const int64_t missing = tiles_of(wanted, std::max<int64_t>(1, items));
  const int64_t tiles =
      std::max({int64_t{1}, tiles_of(rank, most), std::min(missing, tiles_of(rank, kFewestRows))});
  return std::max(kBlock, tiles_of(tiles_of(rank, tiles), kBlock) * kBlock);
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  constexpr int64_t kSums = 32768;  // of a tile: 128 KiB
  const int64_t most = std::clamp(kSums / row_of(spec.head_dim) / kBlock * kBlock, kFewestRows,
                                  int64_t{85} * kBlock);
  const int64_t heads = spec.batch * spec.heads, wanted = wanted_items(device);
  const int64_t chunks = chunks_of(spec.length);
  const bool split = chunks > 1 && heads * tiles_of(spec.rank, most) < wanted;
  plan.tile_queries = int32_t(pick_rows(spec.rank, most, heads * (split ? chunks : 1), wanted));
  plan.tile_keys = int32_t(std::min(kChunk, std::max<int64_t>(1, spec.length)));
  plan.phases = kForwardPhases;
  const int64_t tiles = heads * tiles_of(spec.rank, plan.tile_queries);
  plan.items[kProductPhase] = tiles * (split ? chunks : 1);
  if (split) {
    plan.items[kSumPhase] = tiles;
    plan.workspace_bytes = partial_sums(spec) * int64_t{sizeof(float)};
  }
  plan.scratch_bytes = ForwardScratch(plan).total * int64_t{sizeof(float)};
  fovea::cpu::name_kernel("projection_cpu", plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  constexpr int64_t kMost = 4 * kColumns, kFewest = kColumns / 2, kMostRows = 43 * kBlock;
  const int64_t wanted = wanted_items(device);
  const int64_t heads = spec.batch * spec.heads;
  const int64_t weights = weights_of(spec);
  int64_t positions = spec.head_dim <= 256 ? kMost : kMost / 2;
  while (positions > kFewest && heads * tiles_of(spec.length, positions) < wanted) positions /= 2;
  plan.tile_keys = int32_t(positions);
  const int64_t tiles = tiles_of(spec.length, positions);
  plan.tile_queries = int32_t(pick_rows(spec.rank, kMostRows, weights * tiles, wanted));
  plan.phases = kBackwardPhases;
  plan.items[kInputPhase] = heads * tiles;
  if (spec.has_dweight) {
    plan.items[kWeightPhase] = weights * tiles_of(spec.rank, plan.tile_queries) * tiles;
  }
  plan.scratch_bytes = BackwardScratch(plan).total * int64_t{sizeof(float)};
  fovea::cpu::name_kernel("projection_cpu_backward", plan);
  return FOVEA_OK;
}

}  // namespace fovea::projection::cpu
