// The one place that cuts the work of an append for the CPU.

#include <algorithm>

#include "core/block.h"
#include "cpu/append/tiles.h"
#include "cpu/tier.h"

namespace fovea::append::cpu {
namespace {

int64_t parts_of(int64_t size, int64_t part) { return (size + part - 1) / part; }

// Whether tiles begin where pages do.
bool has_whole_pages(const Spec& spec) { return spec.has_block_table && shares_scale(spec); }

int64_t tiles_of(const Spec& spec, int64_t rows) {
  if (!has_whole_pages(spec)) return parts_of(spec.length, rows);
  // New rows may begin at the end of a page.
  return spec.length == 0 ? 0 : (spec.length + rows - 2) / rows + 1;
}

}  // namespace

int32_t plan_append(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = fovea::cpu::pick_tier(device, plan)) return status;
  const Spec& spec = spec_of(plan);
  // Of a tile, so that what a worker takes anew each time is little beside it, and that it stays near while it is read
  // twice.
  constexpr int64_t kElements = 32768;
  const int64_t columns = spec.head_dim + spec.value_head_dim;
  int64_t rows = kElements / (spec.key_heads * columns);
  if (has_whole_pages(spec)) {
    rows = std::max<int64_t>(1, rows / spec.page_size) * spec.page_size;
  } else if (shares_scale(spec)) {
    rows = spec.length;
  } else {
    rows = std::min(rows, spec.length);
  }
  rows = std::max<int64_t>(1, rows);
  const int64_t heads = std::clamp<int64_t>(kElements / columns / rows, 1, spec.key_heads);
  plan.tile_queries = int32_t(rows);
  plan.tile_keys = int32_t(heads);
  plan.phases = kPhases;
  plan.items[kCheckPhase] = spec.batch > 0 ? 1 : 0;
  plan.items[kStorePhase] = spec.batch * tiles_of(spec, rows) * parts_of(spec.key_heads, heads);
  const bool holds = spec.has_cosines && is_quantized(spec.cache_dtype);
  plan.scratch_bytes = holds ? kHeldElements * int64_t{sizeof(float)} : 0;
  fovea::cpu::name_kernel("append_cpu", plan);
  return FOVEA_OK;
}

Sequence sequence_of(const Spec& spec, const ForwardOperands& operands, int64_t batch) {
  Sequence sequence = {operands.starts[batch], 0, spec.length};
  if (spec.packed) {
    sequence.origin = operands.cu_seqlens[batch];
    sequence.rows = operands.cu_seqlens[batch + 1] - sequence.origin;
  } else if (spec.has_lengths) {
    sequence.rows = operands.lengths[batch];
  }
  return sequence;
}

Tile tile_of(const fovea_plan& plan, const ForwardOperands& operands, int64_t item) {
  const Spec& spec = spec_of(plan);
  const int64_t rows = plan.tile_queries, heads = plan.tile_keys;
  const int64_t head_tiles = parts_of(spec.key_heads, heads), tiles = tiles_of(spec, rows);
  const int64_t batch = item / head_tiles / tiles, head = item % head_tiles * heads;
  const Sequence sequence = sequence_of(spec, operands, batch);
  const int64_t before = has_whole_pages(spec) ? sequence.start % rows : 0;
  const int64_t first = item / head_tiles % tiles * rows - before;
  return {batch,
          sequence,
          std::clamp<int64_t>(first, 0, sequence.rows),
          std::clamp<int64_t>(first + rows, 0, sequence.rows),
          head,
          std::min(head + heads, spec.key_heads)};
}

}  // namespace fovea::append::cpu
