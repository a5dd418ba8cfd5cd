// The one place that cuts the work of embedding lookup for a GPU.

#include "cuda/embedding/plan.h"

#include <algorithm>
#include <cstdio>

#include "cuda/plan.h"

namespace fovea::embedding::cuda {
namespace {

bool divides(int32_t packet, std::initializer_list<int64_t> all) {
  return std::ranges::all_of(all, [packet](int64_t it) { return it % packet == 0; });
}

PacketTensor tensor_of(const void* data, int32_t dtype, int32_t packet) {
  return {const_cast<void*>(data), dtype, is_whole(data, packet, element_bytes(dtype))};
}

// A stride that is never stepped over may be any number.
void set_strides(const Spec& spec, const int64_t (&given)[2], int64_t (&stride)[2]) {
  stride[0] = spec.batch > 1 ? given[0] : 0;
  stride[1] = spec.length > 1 ? given[1] : 0;
}
int64_t stride_of(int64_t rows, int64_t stride) { return rows > 1 ? stride : 0; }

// 4-byte words of the workspace of one table, a multiple of 64 bytes.
int64_t words_of(const TableSums& sums, int64_t tokens) {
  return sums.buckets == 0 ? 0 : tiles_of(2 * (tokens + sums.buckets), 16) * 16;
}

// By sizes alone: bits do not depend on it, but so it is the same everywhere.
TableSums sums_of(const Spec& spec, bool wanted, const Gradient& gradient, int32_t packet) {
  TableSums sums = {};
  sums.gradient = gradient;
  sums.gradient.stride = stride_of(gradient.of.rows, gradient.stride);
  sums.gradient.of.stride = stride_of(spec.batch, gradient.of.stride);
  sums.row_tiles = int32_t(tiles_of(gradient.of.rows, kRows));
  sums.column_tiles = int32_t(tiles_of(spec.width, 32 * packet));
  if (!wanted) return sums;
  sums.items = int64_t{sums.row_tiles} * sums.column_tiles;
  if (!gradient.of.given || sums.items == 0) return sums;
  // A block for each bucket looks at all tokens twice, a warp for each item at those of its bucket: as many
  // buckets as make both alike.
  constexpr int64_t kMostBuckets = 256;
  int64_t buckets = 1;
  while (buckets < kMostBuckets && buckets * buckets < sums.items) ++buckets;
  const int64_t tiles = tiles_of(sums.row_tiles, std::min<int64_t>(buckets, sums.row_tiles));
  sums.bucket_rows = int32_t(tiles * kRows);
  sums.buckets = int32_t(tiles_of(sums.row_tiles, tiles));
  return sums;
}

void set_memory(TableSums& sums, int64_t tokens, int32_t* memory) {
  if (sums.buckets == 0) return;
  sums.entries = reinterpret_cast<uint32_t*>(memory);
  sums.bounds = memory + 2 * tokens;
}

}  // namespace

LookupParams lookup_params(const Spec& spec, const ForwardOperands& operands) {
  LookupParams p = {};
  p.ids = ids_of(spec, operands);
  p.ids.stride = stride_of(spec.batch, p.ids.stride);
  p.position_ids = position_ids_of(spec, operands);
  p.position_ids.stride = stride_of(spec.batch, p.position_ids.stride);
  p.table_stride = stride_of(spec.vocabulary, spec.table_stride[0]);
  p.positions_stride = stride_of(spec.position_count, spec.positions_stride[0]);
  set_strides(spec, spec.out_stride, p.out_stride);
  p.scale = spec.scale;
  p.tokens = tokens_of(spec);
  p.length = int32_t(spec.length);
  // 16 bytes of the wider type where every row is whole packets, else one element.
  p.packet = 16 / std::max(element_bytes(spec.dtype), element_bytes(spec.out_dtype));
  if (!divides(p.packet, {spec.width, p.table_stride, p.out_stride[0], p.out_stride[1],
                          spec.has_positions ? p.positions_stride : 0})) {
    p.packet = 1;
  }
  p.table = tensor_of(operands.table, spec.dtype, p.packet);
  p.positions = tensor_of(spec.has_positions ? operands.positions : nullptr, spec.dtype, p.packet);
  p.out = tensor_of(operands.out, spec.out_dtype, p.packet);
  p.lanes = int32_t(spec.width) / p.packet;
  p.rows = int32_t(std::clamp<int64_t>(kUnits * kThreads / p.lanes, 1, 256));
  return p;
}

BackwardParams backward_params(const Spec& spec, const BackwardOperands& operands,
                               void* workspace) {
  BackwardParams p = {};
  const Gradient table = dtable_of(spec, operands), positions = dpositions_of(spec, operands);
  set_strides(spec, spec.dout_stride, p.dout_stride);
  p.packet = 4;
  if (!divides(p.packet, {spec.width, p.dout_stride[0], p.dout_stride[1],
                          spec.has_dtable ? stride_of(table.of.rows, table.stride) : 0,
                          spec.has_dpositions ? stride_of(positions.of.rows, positions.stride) : 0})) {
    p.packet = 1;
  }
  p.table = sums_of(spec, spec.has_dtable, table, p.packet);
  p.positions = sums_of(spec, spec.has_dpositions, positions, p.packet);
  const int64_t tokens = tokens_of(spec);
  auto* const memory = static_cast<int32_t*>(workspace);
  set_memory(p.table, tokens, memory);
  set_memory(p.positions, tokens, memory + words_of(p.table, tokens));
  p.dout = tensor_of(operands.dout, spec.out_dtype, p.packet);
  p.gradient = {nullptr, FOVEA_FLOAT32,
                is_whole(operands.dtable, p.packet, 4) && is_whole(operands.dpositions, p.packet, 4)};
  p.batch = int32_t(spec.batch);
  p.length = int32_t(spec.length);
  p.width = int32_t(spec.width);
  p.accumulate = spec.accumulate != 0;
  return p;
}

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const LookupParams p = lookup_params(spec, {});
  plan.isa = kLeastCapability;
  plan.phases = 1;
  plan.tile_queries = p.rows;
  plan.tile_keys = p.packet;
  std::snprintf(plan.kernel, sizeof plan.kernel, "embedding_cuda_sm80_%s_%dx%d", name_of(spec.dtype),
                p.rows, p.packet);
  return count_items("tiles of tokens", {tiles_of(p.tokens, p.rows)}, plan.items[0], plan.error);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const BackwardParams p = backward_params(spec, {}, nullptr);
  plan.isa = kLeastCapability;
  plan.phases = kBackwardPhases;
  plan.tile_queries = kRows;
  plan.tile_keys = p.packet;
  plan.items[kListPhase] = p.table.buckets + p.positions.buckets;
  const int64_t tokens = tokens_of(spec);
  plan.workspace_bytes = 4 * (words_of(p.table, tokens) + words_of(p.positions, tokens));
  std::snprintf(plan.kernel, sizeof plan.kernel, "embedding_cuda_backward_sm80_%s_%dx%d",
                name_of(spec.out_dtype), kRows, p.packet);
  return count_items("tiles of rows", {tiles_of(p.table.items + p.positions.items, kWarps)},
                     plan.items[kSumPhase], plan.error);
}

}  // namespace fovea::embedding::cuda
