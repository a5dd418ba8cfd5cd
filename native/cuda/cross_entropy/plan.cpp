// The one place that cuts the work of cross-entropy for a GPU.

#include "cuda/cross_entropy/plan.h"

#include <algorithm>
#include <cstdio>

#include "cuda/plan.h"

namespace fovea::cross_entropy::cuda {
namespace {

// A stride that is never stepped over may be any number.
void set_strides(const Spec& spec, const int64_t (&given)[2], int64_t (&stride)[2]) {
  stride[0] = spec.batch > 1 ? given[0] : 0;
  stride[1] = spec.length > 1 ? given[1] : 0;
}
int64_t batch_stride(const Spec& spec, const int64_t (&given)[1]) {
  return spec.batch > 1 ? given[0] : 0;
}

PacketTensor tensor_of(const void* data, int32_t dtype, int32_t packet) {
  return {const_cast<void*>(data), dtype, is_whole(data, packet, element_bytes(dtype))};
}

// 16 bytes of the wider type where every row is whole packets, else one element.
int32_t packet_of(const CrossEntropyParams& p, int32_t bytes) {
  const int32_t packet = 16 / bytes;
  const auto divides = [&](int64_t it) { return it % packet == 0; };
  const bool all = divides(p.classes) && std::ranges::all_of(p.logits_stride, divides) &&
                   std::ranges::all_of(p.dlogits_stride, divides);
  return all ? packet : 1;
}

// What both passes have alike.
CrossEntropyParams common_params(const Spec& spec, const Inputs& inputs, void* workspace) {
  CrossEntropyParams p = {};
  set_strides(spec, spec.logits_stride, p.logits_stride);
  p.targets_stride = batch_stride(spec, spec.targets_stride);
  p.lse_stride = batch_stride(spec, spec.lse_stride);
  p.targets = inputs.targets;
  p.class_weight = spec.has_class_weight ? inputs.class_weight : nullptr;
  p.weights = static_cast<float*>(workspace);
  p.smoothing = spec.label_smoothing;
  p.rows = rows_of(spec);
  p.length = int32_t(spec.length);
  p.classes = int32_t(spec.classes);
  return p;
}

int32_t plan_pass(const fovea_device_info& device, const Spec& spec, const CrossEntropyParams& p,
                  std::initializer_list<int64_t> items, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  plan.isa = kLeastCapability;
  plan.phases = kPhases;
  plan.items[kWeightPhase] = sums_weights(spec) && p.rows > 0;
  plan.workspace_bytes = sums_weights(spec) ? int64_t{sizeof(float)} : 0;
  plan.tile_keys = p.packet;
  std::snprintf(plan.kernel, sizeof plan.kernel, "cross_entropy_cuda%s_sm80_%s_%dx%d",
                spec.pass == FOVEA_BACKWARD ? "_backward" : "", name_of(spec.dtype),
                plan.tile_queries, p.packet);
  return count_items("rows of logits", items, plan.items[kRowPhase], plan.error);
}

}  // namespace

CrossEntropyParams make_params(const Spec& spec, const ForwardOperands& operands, void* workspace) {
  CrossEntropyParams p = common_params(spec, operands, workspace);
  p.out_stride = batch_stride(spec, spec.out_stride);
  p.out = operands.out;
  p.lse = operands.lse;
  p.packet = packet_of(p, element_bytes(spec.dtype));
  p.logits = tensor_of(operands.logits, spec.dtype, p.packet);
  // Of a row, so that a warp takes no longer than what a block spends on adding up its threads.
  constexpr int32_t kWarpClasses = 2048;
  p.whole_block = p.classes > kWarpClasses;
  return p;
}

CrossEntropyParams make_params(const Spec& spec, const BackwardOperands& operands,
                               void* workspace) {
  CrossEntropyParams p = common_params(spec, operands, workspace);
  set_strides(spec, spec.dlogits_stride, p.dlogits_stride);
  p.out_stride = batch_stride(spec, spec.dout_stride);
  p.dout = operands.dout;
  p.lse = const_cast<float*>(operands.lse);
  p.packet =
      packet_of(p, std::max(element_bytes(spec.dtype), element_bytes(spec.gradient_dtype)));
  p.logits = tensor_of(operands.logits, spec.dtype, p.packet);
  p.dlogits = tensor_of(operands.dlogits, spec.gradient_dtype, p.packet);
  p.lanes = p.classes / p.packet;
  p.piece_lanes = std::min(p.lanes, kThreads * kUnits);
  p.pieces = int32_t(tiles_of(p.lanes, p.piece_lanes));
  p.item_rows = kThreads * kUnits / p.piece_lanes;
  return p;
}

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const CrossEntropyParams p = make_params(spec, ForwardOperands{}, nullptr);
  plan.tile_queries = p.whole_block ? 1 : kWarps;
  return plan_pass(device, spec, p, {tiles_of(p.rows, plan.tile_queries)}, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const CrossEntropyParams p = make_params(spec, BackwardOperands{}, nullptr);
  plan.tile_queries = p.item_rows;
  return plan_pass(device, spec, p, {tiles_of(p.rows, p.item_rows), p.pieces}, plan);
}

}  // namespace fovea::cross_entropy::cuda
