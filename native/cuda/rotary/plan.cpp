// The one place that cuts the work of rotary position embedding for a GPU.

#include "cuda/rotary/plan.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "cuda/plan.h"

namespace fovea::rotary::cuda {
namespace {

// A stride that is never stepped over may be any number.
template <typename Address>
void set_strides(const Spec& spec, const Rows<Address>& rows, int64_t (&stride)[3]) {
  const int64_t sizes[] = {spec.batch, spec.length, spec.heads};
  for (int i = 0; i < 3; ++i) stride[i] = sizes[i] > 1 ? rows.stride[i] : 0;
}

// 16 bytes of the wider type where every part of a row is whole packets, else one element.
int32_t packet_of(const Spec& spec, const RotaryParams& p) {
  const int32_t packet = 16 / std::max(element_bytes(p.from.dtype), element_bytes(p.to.dtype));
  const auto divides = [&](int64_t it) { return it % packet == 0; };
  const bool all = divides(spec.pairs) && divides(spec.head_dim - 2 * spec.pairs) &&
                   std::ranges::all_of(p.from_stride, divides) &&
                   std::ranges::all_of(p.to_stride, divides);
  return all ? packet : 1;
}

template <typename Operands>
int32_t plan_pass(const fovea_device_info& device, const char* suffix, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const Operands none = {};
  const RotaryParams p = make_params(spec, none, turn_of(spec, none));
  int64_t units;  // of an item: threads count them in 32 bits
  if (int32_t status = count_items("packets of rows", {p.lanes, p.head_groups, p.rows}, units,
                                   plan.error)) {
    return status;
  }
  if (int32_t status =
          count_items("tiles of rows", {spec.batch, p.tiles}, plan.items[0], plan.error)) {
    return status;
  }
  plan.isa = kLeastCapability;
  plan.phases = 1;
  plan.tile_queries = p.rows;
  plan.tile_keys = p.packet;
  std::snprintf(plan.kernel, sizeof plan.kernel, "rotary_cuda%s_sm80_%s_%dx%d", suffix,
                name_of(p.from.dtype), p.rows, p.packet);
  return FOVEA_OK;
}

}  // namespace

RotaryParams make_params(const Spec& spec, const Inputs& inputs, const Turn& turn) {
  RotaryParams p = {};
  p.from = {const_cast<void*>(turn.from.data), turn.from.dtype, false};
  p.to = {turn.to.data, turn.to.dtype, false};
  set_strides(spec, turn.from, p.from_stride);
  set_strides(spec, turn.to, p.to_stride);
  p.packet = packet_of(spec, p);
  p.from.whole = is_whole(p.from.data, p.packet, element_bytes(p.from.dtype));
  p.to.whole = is_whole(p.to.data, p.packet, element_bytes(p.to.dtype));
  p.cosines = inputs.cosines;
  p.sines = inputs.sines;
  std::copy_n(spec.cosines_stride, 2, p.cosines_stride);
  std::copy_n(spec.sines_stride, 2, p.sines_stride);
  p.positions = inputs.positions;
  p.positions_stride = spec.positions_stride[0];
  p.length = int32_t(spec.length);
  p.heads = int32_t(spec.heads);
  p.pairs = int32_t(spec.pairs);
  p.position_count = int32_t(spec.position_count);
  p.interleaved = spec.interleaved != 0;
  p.back = turn.back;
  p.pair_lanes = p.pairs / p.packet;
  p.lanes = p.pair_lanes + int32_t(spec.head_dim - 2 * spec.pairs) / p.packet;
  p.head_groups = int32_t(tiles_of(spec.heads, kHeads));
  // Two units for a thread, whatever a row has.
  const int64_t units = int64_t{p.lanes} * p.head_groups;
  p.rows = int32_t(std::clamp<int64_t>(2 * kThreads / units, 1, std::max<int64_t>(1, spec.length)));
  p.tiles = int32_t(tiles_of(spec.length, p.rows));
  return p;
}

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass<ForwardOperands>(device, "", plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  return plan_pass<BackwardOperands>(device, "_backward", plan);
}

}  // namespace fovea::rotary::cuda
