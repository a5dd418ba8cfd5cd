// The one place that cuts the work of activation for a GPU.

#include "cuda/activation/plan.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <initializer_list>
#include <iterator>

#include "core/philox.h"
#include "cuda/plan.h"

namespace fovea::activation::cuda {
namespace {

// An operand as the kernels have it: whether it is there, and where.
struct Given {
  Rows& rows;
  bool there;
  const void* data;
  int32_t dtype;
  const int64_t (&stride)[2];
};

// 16 bytes of the widest type where every row is whole packets, else one element.
int32_t packet_of(const Spec& spec, const Grid& grid, std::initializer_list<Given> all) {
  int bytes = 0;
  for (const Given& it : all) {
    if (it.there) bytes = std::max(bytes, element_bytes(it.dtype));
  }
  const int32_t packet = 16 / bytes;
  const auto divides = [&](int64_t it) { return it % packet == 0; };
  const bool whole = std::ranges::all_of(all, [&](const Given& it) {
    return !it.there || grid.merged ||
           ((spec.batch <= 1 || divides(it.stride[0])) && (spec.length <= 1 || divides(it.stride[1])));
  });
  return whole && divides(grid.width) ? packet : 1;
}

ActivationParams cut(const Spec& spec, const float* bias, std::initializer_list<Given> all) {
  const Needs needs(spec);
  const Grid grid = grid_of(spec);
  ActivationParams p = {};
  p.packet = packet_of(spec, grid, all);
  // One row is as many as blocks have packets of.
  const int64_t part = kMostLanes * p.packet;
  for (const Given& it : all) {
    if (!it.there) continue;
    it.rows = {{const_cast<void*>(it.data), it.dtype, false}, {0, part}};
    it.rows.whole = is_whole(it.data, p.packet, element_bytes(it.dtype));
    if (grid.merged) continue;
    // A stride that is never stepped over may be any number.
    it.rows.stride[0] = spec.batch > 1 ? it.stride[0] : 0;
    it.rows.stride[1] = spec.length > 1 ? it.stride[1] : 0;
  }
  p.bias = needs.bias ? bias : nullptr;
  p.function = spec.function;
  p.slope = needs.slope;
  const uint32_t threshold = needs.draws ? dropout_threshold(spec.dropout) : 0;
  p.draws = threshold > 0;
  p.dropout_threshold = threshold;
  p.dropout_scale = dropout_scale(threshold);
  p.width = p.last_width = int32_t(grid.merged ? part : grid.width);
  p.rows = int32_t(grid.merged ? tiles_of(grid.width, part) : grid.rows());
  p.length = std::max(1, grid.merged ? p.rows : int32_t(grid.length));
  if (grid.merged) p.last_width = int32_t(grid.width - (p.rows - 1) * part);
  const int64_t packets = tiles_of(p.width, p.packet);
  p.lanes = int32_t(std::min<uint64_t>(kMostLanes, std::bit_ceil(uint64_t(packets))));
  p.groups = kThreads / p.lanes;
  p.column_tiles = int32_t(tiles_of(packets, p.lanes));
  // A few steps of a block; or of parts so large that a sum in float32 has few terms, and is little beside what it
  // is of.
  constexpr int64_t kSteps = 2, kParts = 512, kFewestRows = 64, kMostSummed = 1024;
  const bool sums = spec.pass == FOVEA_BACKWARD && spec.has_dbias;
  p.tile_rows = int32_t(sums ? std::clamp(tiles_of(grid.rows(), kParts), kFewestRows, kMostSummed)
                             : kSteps * kRows * p.groups);
  p.row_tiles = int32_t(tiles_of(p.rows, p.tile_rows));
  return p;
}

template <typename Operands>
int32_t plan_pass(const fovea_device_info& device, const char* suffix, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const Grid grid = grid_of(spec);
  // Threads count rows and columns in 32 bits, to some behind the last.
  const int64_t rows = grid.merged ? tiles_of(grid.width, kMostLanes) : grid.rows();
  const int64_t width = grid.merged ? 1 : grid.width;
  int64_t twice;
  if (int32_t status = count_items("rows", {2, rows}, twice, plan.error)) return status;
  if (int32_t status = count_items("columns", {2, width}, twice, plan.error)) return status;
  const ActivationParams p = make_params(spec, Operands{});
  if (int32_t status = count_items("tiles of rows", {p.row_tiles, p.column_tiles},
                                   plan.items[kElementPhase], plan.error)) {
    return status;
  }
  plan.isa = kLeastCapability;
  plan.tile_queries = p.tile_rows;
  plan.tile_keys = p.lanes * p.packet;
  std::snprintf(plan.kernel, sizeof plan.kernel, "activation_cuda%s_%s_sm80_%s_%dx%d", suffix,
                name_of(spec.function), fovea::cuda::name_of(spec.dtype), p.tile_rows,
                plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace

ActivationParams make_params(const Spec& spec, const ForwardOperands& operands) {
  const Needs needs(spec);
  Rows x = {}, gate = {}, added = {}, out = {};
  ActivationParams p = cut(
      spec, operands.bias,
      {{x, true, operands.x, spec.dtype, spec.x_stride},
       {gate, needs.gate, operands.gate, spec.dtype, spec.gate_stride},
       {added, needs.residual, operands.residual, spec.dtype, spec.residual_stride},
       {out, true, operands.out, spec.out_dtype, spec.out_stride}});
  p.x = x, p.gate = gate, p.added = added, p.out = out;
  return p;
}

ActivationParams make_params(const Spec& spec, const BackwardOperands& operands) {
  const Needs needs(spec);
  const int32_t type = spec.gradient_dtype;
  Rows x = {}, gate = {}, dout = {}, dx = {}, dgate = {}, dresidual = {};
  ActivationParams p = cut(
      spec, operands.bias,
      {{x, needs.x, operands.x, spec.dtype, spec.x_stride},
       {gate, needs.gate, operands.gate, spec.dtype, spec.gate_stride},
       {dout, true, operands.dout, spec.out_dtype, spec.dout_stride},
       {dx, spec.has_dx != 0, operands.dx, type, spec.dx_stride},
       {dgate, spec.has_dgate != 0, operands.dgate, type, spec.dgate_stride},
       {dresidual, spec.has_dresidual != 0, operands.dresidual, type, spec.dresidual_stride}});
  p.x = x, p.gate = gate, p.added = dout, p.out = dx, p.dgate = dgate, p.dresidual = dresidual;
  return p;
}

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  plan.phases = kForwardPhases;
  return plan_pass<ForwardOperands>(device, "", plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = plan_pass<BackwardOperands>(device, "_backward", plan)) return status;
  const Spec& spec = spec_of(plan);
  plan.phases = kBackwardPhases;
  if (!Needs(spec).any()) plan.items[kElementPhase] = 0;
  if (spec.has_dbias) {
    const ActivationParams p = make_params(spec, BackwardOperands{});
    plan.items[kSumPhase] = tiles_of(spec.width, kThreads);
    plan.workspace_bytes = int64_t{p.row_tiles} * p.width * int64_t{sizeof(float)};
  }
  return FOVEA_OK;
}

}  // namespace fovea::activation::cuda
