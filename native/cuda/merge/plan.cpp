// The one place that cuts the work of a merge for a GPU.

#include "cuda/merge/plan.h"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "cuda/plan.h"

namespace fovea::merge::cuda {
namespace {

// A stride that is never stepped over may be any number.
template <size_t kCount>
void set_strides(const int64_t (&sizes)[kCount], const int64_t (&from)[kCount], int64_t (&to)[kCount]) {
  for (size_t i = 0; i < kCount; ++i) to[i] = sizes[i] > 1 ? from[i] : 0;
}

template <size_t kCount>
bool divides(int32_t packet, const int64_t (&stride)[kCount]) {
  return std::ranges::all_of(stride, [packet](int64_t it) { return it % packet == 0; });
}

PacketTensor tensor_of(const void* data, int32_t dtype, int32_t packet) {
  return {const_cast<void*>(data), dtype, is_whole(data, packet, element_bytes(dtype))};
}

}  // namespace

MergeParams make_params(const Spec& spec, const ForwardOperands& operands) {
  const int64_t parts = spec.parts, batch = spec.batch, length = spec.query_length;
  const int64_t heads = spec.query_heads;
  MergeParams p = {};
  p.lses = operands.lses;
  p.sinks = operands.sinks;
  p.lse = operands.lse;
  set_strides({parts, batch, length, heads}, spec.outs_stride, p.outs_stride);
  set_strides({batch, length, heads}, spec.out_stride, p.out_stride);
  set_strides({parts, batch, heads}, spec.lses_stride, p.lses_stride);
  set_strides({batch, heads}, spec.lse_stride, p.lse_stride);
  // 16 bytes of the wider type where every row is whole packets, else one element.
  p.packet = 16 / std::max(element_bytes(spec.dtype), element_bytes(spec.out_dtype));
  if (spec.value_head_dim % p.packet != 0 || !divides(p.packet, p.outs_stride) ||
      !divides(p.packet, p.out_stride)) {
    p.packet = 1;
  }
  p.outs = tensor_of(operands.outs, spec.dtype, p.packet);
  p.out = tensor_of(operands.out, spec.out_dtype, p.packet);
  p.parts = int32_t(parts);
  p.batch = int32_t(batch);
  p.length = int32_t(length);
  p.heads = int32_t(heads);
  p.packets = int32_t(spec.value_head_dim) / p.packet;
  p.lanes = int32_t(std::clamp<uint32_t>(std::bit_ceil(uint32_t(p.packets)), kFewestLanes, kMostLanes));
  p.pieces = int32_t(tiles_of(p.packets, p.lanes));
  p.positions = int32_t(std::clamp<int64_t>(length, 1, kPositions));
  p.position_tiles = int32_t(tiles_of(length, p.positions));
  return p;
}

int32_t plan_merge(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const MergeParams p = make_params(spec, {});
  // Threads count them in 32 bits, to some behind the last.
  int64_t pieces;
  if (int32_t status = count_items("rows", {2, spec.batch, p.position_tiles, p.positions, p.heads, p.pieces},
                                   pieces, plan.error)) {
    return status;
  }
  plan.isa = kLeastCapability;
  plan.phases = 1;
  plan.tile_queries = kThreads / p.lanes;
  plan.tile_keys = p.lanes * p.packet;
  plan.items[0] = tiles_of(pieces / 2, plan.tile_queries);
  std::snprintf(plan.kernel, sizeof plan.kernel, "merge_cuda_sm80_%s_%dx%d", name_of(spec.dtype),
                plan.tile_queries, plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace fovea::merge::cuda
