// The one place that cuts the work of normalization for a GPU.

#include "cuda/norm/plan.h"

#include <algorithm>
#include <cstdio>

#include "cuda/plan.h"

namespace fovea::norm::cuda {
namespace {

// A stride that is never stepped over may be any number.
void set_strides(const Spec& spec, const int64_t (&from)[3], int64_t (&stride)[3]) {
  const int64_t sizes[] = {spec.batch, spec.length, spec.heads};
  for (int i = 0; i < 3; ++i) stride[i] = sizes[i] > 1 ? from[i] : 0;
}

bool divides(const int64_t (&stride)[3]) {
  return std::ranges::all_of(stride, [](int64_t it) { return it % kPacket == 0; });
}

// Accesses are of 16 bytes, whatever a packet has.
PacketTensor tensor_of(const void* data, int32_t dtype) {
  const int bytes = element_bytes(dtype);
  return {const_cast<void*>(data), dtype, is_whole(data, 16 / bytes, bytes)};
}

HeadRows rows_of(const float* data, const int64_t (&stride)[1], const Spec& spec) {
  const int64_t step = spec.heads > 1 ? stride[0] : 0;
  return {const_cast<float*>(data), step, is_whole(data, 4, 4) && step % 4 == 0};
}

// As few threads as hold a row, but whole warps where it has a packet for each of one.
int32_t lanes_of(int64_t packets, int held, int most) {
  int32_t lanes = 1;
  const int64_t wanted = std::min<int64_t>(packets, 32);
  while (lanes < most && (lanes < wanted || int64_t{lanes} * held < packets)) lanes *= 2;
  return lanes;
}

NormParams make_params(const Spec& spec, const Inputs& inputs, bool backward, const void* out,
                       const int64_t (&out_stride)[3], void* dx) {
  NormParams p = {};
  p.x = tensor_of(inputs.x, spec.dtype);
  p.out = tensor_of(out, spec.out_dtype);
  set_strides(spec, spec.x_stride, p.x_stride);
  set_strides(spec, out_stride, p.out_stride);
  bool has_packets = spec.width % kPacket == 0 && divides(p.x_stride) && divides(p.out_stride);
  if (backward) {
    p.dx = tensor_of(dx, spec.gradient_dtype);
    set_strides(spec, spec.dx_stride, p.dx_stride);
    has_packets = has_packets && divides(p.dx_stride);
  }
  p.weight = rows_of(inputs.weight, spec.weight_stride, spec);
  p.bias = rows_of(inputs.bias, spec.bias_stride, spec);
  p.length = int32_t(spec.length);
  p.heads = int32_t(spec.heads);
  p.width = int32_t(spec.width);
  p.centered = spec.centered != 0;
  p.epsilon = spec.epsilon;
  p.share = float(1 / double(spec.width));
  p.own_heads = 1;
  const int packet = has_packets ? kPacket : 1;
  p.packets = int32_t(spec.width / packet);
  const int held = held_packets(packet, backward);
  const bool wide = backward && packet > 1 && p.packets > held * kThreads;
  p.lanes = lanes_of(p.packets, held, wide ? kWideThreads : kThreads);
  p.groups = std::max(1, kThreads / p.lanes);
  p.held = p.packets <= held * p.lanes;
  return p;
}

// Of a grid: rows, which threads count in 32 bits.
int32_t count_rows(const Spec& spec, Error& error) {
  int64_t rows;
  return count_items("rows", {spec.batch, spec.length, spec.heads}, rows, error);
}

void name_plan(const char* suffix, const NormParams& p, const Spec& spec, fovea_plan& plan) {
  plan.isa = kLeastCapability;
  plan.tile_queries = p.rows;
  plan.tile_keys = packet_of(p);
  std::snprintf(plan.kernel, sizeof plan.kernel, "norm_cuda_%s%s_sm80_%s_%dx%d",
                spec.centered ? "layer" : "rms", suffix, name_of(spec.dtype), p.rows,
                packet_of(p));
}

}  // namespace

NormParams make_params(const Spec& spec, const ForwardOperands& operands) {
  NormParams p = make_params(spec, operands, false, operands.out, spec.out_stride, nullptr);
  p.mean = operands.mean;
  p.inverse = operands.inverse;
  std::copy_n(spec.mean_stride, 2, p.mean_stride);
  std::copy_n(spec.inverse_stride, 2, p.inverse_stride);
  p.all = int32_t(spec.batch * spec.length * spec.heads);
  constexpr int32_t kRounds = 2;
  p.rows = kRounds * p.groups;
  p.parts = int32_t(tiles_of(p.all, p.rows));
  return p;
}

NormParams make_params(const Spec& spec, const BackwardOperands& operands, void* workspace) {
  NormParams p = make_params(spec, operands, true, operands.dout, spec.dout_stride, operands.dx);
  p.adds = spec.accumulate_dx != 0;
  p.own_heads = int32_t(heads_of_sums(spec));
  p.all = int32_t(spec.batch * spec.length * spec.heads / p.own_heads);
  // As many parts as fill a large device, unless sums of a part would be much beside its rows, by sizes alone;
  // and no more rows to a thread than sums in float32 are to have terms, with those of the groups.
  constexpr int64_t kParts = 256, kMostTerms = 256, kFewestRounds = 4;
  const int64_t wanted = tiles_of(int64_t{p.all} * p.own_heads, kParts * p.groups);
  const int64_t most = std::max<int64_t>(32, kMostTerms - p.groups);
  p.rows = int32_t(std::clamp(wanted, kFewestRounds, most)) * p.groups;
  p.parts = int32_t(tiles_of(p.all, p.rows));
  p.row = int32_t(tiles_of(spec.width, 4) * 4);
  p.sums = has_sums(spec) ? static_cast<float*>(workspace) : nullptr;
  return p;
}

SumParams make_sum_params(const Spec& spec, const BackwardOperands& operands, void* workspace) {
  const NormParams rows = make_params(spec, operands, workspace);
  SumParams p = {};
  const auto target = [&](bool wanted, float* to, int64_t stride) -> SumTarget {
    if (!wanted) return {};
    const bool own = rows.own_heads > 1 && stride != 0;
    return {to, own ? stride : 0, own ? rows.own_heads : 1};
  };
  p.target[0] = target(spec.has_dweight, operands.dweight, spec.dweight_stride[0]);
  p.target[1] = target(spec.has_dbias, operands.dbias, spec.dbias_stride[0]);
  p.sums = static_cast<const float*>(workspace);
  p.width = rows.width;
  p.row = rows.row;
  p.blocks = int32_t(tiles_of(spec.width, kSumColumns));
  p.parts = rows.parts;
  p.own_heads = rows.own_heads;
  p.adds = spec.accumulate != 0;
  return p;
}

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  if (int32_t status = count_rows(spec, plan.error)) return status;
  const NormParams p = make_params(spec, ForwardOperands{});
  plan.items[0] = p.parts;
  plan.phases = 1;
  name_plan("", p, spec, plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  if (int32_t status = count_rows(spec, plan.error)) return status;
  const NormParams p = make_params(spec, BackwardOperands{}, nullptr);
  const SumParams sums = make_sum_params(spec, BackwardOperands{}, nullptr);
  if (int32_t status = count_items("parts of rows", {p.own_heads, p.parts},
                                   plan.items[kRowPhase], plan.error)) {
    return status;
  }
  const int64_t rows = sums.target[0].heads + sums.target[1].heads;
  if (int32_t status = count_items("columns of gradients", {rows, sums.blocks},
                                   plan.items[kSumPhase], plan.error)) {
    return status;
  }
  plan.phases = kBackwardPhases;
  if (has_sums(spec)) {
    plan.workspace_bytes = plan.items[kRowPhase] * 2 * p.row * int64_t{sizeof(float)};
  }
  name_plan("_backward", p, spec, plan);
  return FOVEA_OK;
}

}  // namespace fovea::norm::cuda
