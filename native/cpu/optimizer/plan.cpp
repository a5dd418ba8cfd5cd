// The one place that cuts the work of a step for the CPU.

#include "cpu/optimizer/plan.h"

#include <algorithm>

#include "cpu/tier.h"

namespace fovea::optimizer::cpu {
namespace {

// Of a tile, so that what a worker takes anew each time is little beside it.
constexpr int64_t kParameters = 32768;

int64_t pieces_of(int64_t size, int64_t piece) { return (size + piece - 1) / piece; }

}  // namespace

int32_t plan_step(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Rows rows = rows_of(spec_of(plan));
  const int64_t length = std::clamp<int64_t>(rows.length, 1, kParameters);
  const int64_t together = std::clamp<int64_t>(kParameters / length, 1, std::max<int64_t>(1, rows.count));
  plan.tile_queries = int32_t(together);
  plan.tile_keys = int32_t(length);
  plan.phases = 1;
  plan.items[0] = pieces_of(rows.count, together) * pieces_of(rows.length, length);
  fovea::cpu::name_kernel("optimizer_cpu", plan);
  return FOVEA_OK;
}

Tile tile_of(const fovea_plan& plan, int64_t item) {
  const Rows rows = rows_of(spec_of(plan));
  const int64_t pieces = pieces_of(rows.length, plan.tile_keys);
  const int64_t row = item / pieces * plan.tile_queries, first = item % pieces * plan.tile_keys;
  return {row, std::min(row + plan.tile_queries, rows.count), first,
          std::min(first + plan.tile_keys, rows.length)};
}

}  // namespace fovea::optimizer::cpu
