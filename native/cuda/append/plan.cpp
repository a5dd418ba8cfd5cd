// The one place that cuts the work of an append for a GPU.

#include "cuda/append/plan.h"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "cuda/plan.h"

namespace fovea::append::cuda {
namespace {

// 16 bytes of the wider type where every part of a row is whole packets; else one element, or the two of a byte.
int32_t packet_of(const Spec& spec, const Rows& rows, const RowsParams& p) {
  const int32_t packet = 16 / std::max(element_bytes(spec.dtype), element_bytes(spec.cache_dtype));
  const auto divides = [&](int64_t it) { return it % packet == 0; };
  const int64_t rotated = spec.interleaved ? 2 * rows.pairs : rows.pairs;
  const bool all = divides(rows.columns) && divides(rotated) && std::ranges::all_of(p.from_stride, divides);
  return all ? packet : element_values(spec.cache_dtype);
}

RowsParams rows_params(const Spec& spec, const Rows& rows) {
  RowsParams p = {};
  p.columns = int32_t(rows.columns);
  p.pairs = int32_t(rows.pairs);
  if (rows.columns == 0) return p;
  const int64_t bytes = element_bytes(spec.cache_dtype);
  const int64_t new_rows[] = {spec.batch, spec.packed ? spec.new_total : spec.length, spec.key_heads};
  const int64_t cached[] = {spec.has_block_table ? spec.page_count : spec.batch,
                            spec.has_block_table ? spec.page_size : spec.cache_length, spec.key_heads};
  // A stride that is never stepped over may be any number.
  for (int i = 0; i < 3; ++i) {
    p.from_stride[i] = new_rows[i] > 1 ? rows.from_stride[i] : 0;
    p.cache_stride[i] = cached[i] > 1 ? rows.cache_stride[i] * bytes : 0;
  }
  p.scales_stride[0] = cached[0] > 1 ? rows.scales_stride[0] : 0;
  p.scales_stride[1] = cached[1] > 1 ? rows.scales_stride[1] : 0;
  p.packet = packet_of(spec, rows, p);
  p.packets = p.columns / p.packet;
  p.from = {const_cast<void*>(rows.from), spec.dtype,
            is_whole(rows.from, p.packet, element_bytes(spec.dtype))};
  p.cache = static_cast<char*>(rows.cache);
  p.scales = rows.scales;
  const int64_t packet_bytes = p.packet * bytes / element_values(spec.cache_dtype);
  p.cache_whole = reinterpret_cast<intptr_t>(rows.cache) % packet_bytes == 0 &&
                  std::ranges::all_of(p.cache_stride, [&](int64_t it) { return it % packet_bytes == 0; });
  return p;
}

int64_t jobs_of(const AppendParams& p, int i) { return int64_t{p.batch} * p.tiles[i] * p.heads; }

}  // namespace

AppendParams make_params(const Spec& spec, const ForwardOperands& operands) {
  AppendParams p = {};
  p.starts = operands.starts;
  p.lengths = operands.lengths;
  p.cu_seqlens = spec.packed ? operands.cu_seqlens : nullptr;
  p.positions = operands.positions;
  p.block_table = operands.block_table;
  p.cosines = operands.cosines;
  p.sines = operands.sines;
  std::copy_n(spec.cosines_stride, 2, p.cosines_stride);
  std::copy_n(spec.sines_stride, 2, p.sines_stride);
  p.positions_stride = spec.positions_stride[0];
  p.block_table_stride = spec.block_table_stride[0];
  p.new_total = spec.new_total;
  p.cache_dtype = spec.cache_dtype;
  p.batch = int32_t(spec.batch);
  p.length = int32_t(spec.length);
  p.heads = int32_t(spec.key_heads);
  p.cache_length = int32_t(spec.cache_length);
  p.page_count = int32_t(spec.page_count);
  p.page_size = spec.has_block_table ? int32_t(spec.page_size) : 0;
  p.position_count = int32_t(spec.position_count);
  p.interleaved = spec.interleaved != 0;
  const Rows both[] = {keys_of(spec, operands), values_of(spec, operands)};
  int32_t packets = 1;
  for (int i = 0; i < 2; ++i) {
    p.rows[i] = rows_params(spec, both[i]);
    packets = std::max(packets, p.rows[i].packets);
    p.shared[i] = both[i].shares_scale();
    if (both[i].columns == 0) continue;
    if (!p.shared[i]) {
      p.tile[i] = std::clamp(p.length, 1, kRows);
      p.tiles[i] = int32_t(tiles_of(spec.length, p.tile[i]));
    } else if (spec.has_block_table) {
      p.tile[i] = p.page_size;
      // New rows may begin at the end of a page.
      p.tiles[i] = spec.length == 0 ? 0 : int32_t((spec.length + spec.page_size - 2) / spec.page_size + 1);
    } else {
      p.tile[i] = p.length;
      p.tiles[i] = 1;
    }
  }
  p.lanes = int32_t(std::min<uint32_t>(32, std::bit_ceil(uint32_t(packets))));
  for (int i = 0; i < 2; ++i) p.blocks[i] = int32_t(tiles_of(jobs_of(p, i), kThreads / p.lanes));
  return p;
}

int32_t plan_append(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const AppendParams p = make_params(spec, {});
  for (int i = 0; i < 2; ++i) {
    int64_t jobs;
    if (int32_t status = count_items("rows of heads", {2, p.batch, p.tiles[i], p.heads}, jobs, plan.error)) {
      return status;
    }
  }
  plan.isa = kLeastCapability;
  plan.phases = 1;
  plan.tile_queries = std::max(1, p.tile[0]);
  plan.tile_keys = p.lanes * p.rows[0].packet;
  plan.items[0] = int64_t{p.blocks[0]} + p.blocks[1];
  std::snprintf(plan.kernel, sizeof plan.kernel, "append_cuda_sm80_%s_%dx%d", name_of(spec.dtype),
                plan.tile_queries, plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace fovea::append::cuda
