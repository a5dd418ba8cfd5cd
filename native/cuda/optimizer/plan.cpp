// The one place that cuts the work of a step for a GPU.

#include "cuda/optimizer/plan.h"

#include <algorithm>
#include <cstdio>

#include "cuda/plan.h"

namespace fovea::optimizer::cuda {
namespace {

// A stride that is never stepped over may be any number.
Matrix matrix_of(const void* data, int32_t dtype, const int64_t (&stride)[1], const Rows& rows) {
  const int64_t step = rows.count > 1 ? stride[0] : 0;
  const bool whole = step % kPacket == 0 && is_whole(data, kPacket, element_bytes(dtype));
  return {{const_cast<void*>(data), dtype, whole}, step};
}

}  // namespace

OptimizerParams make_params(const Spec& spec, const ForwardOperands& operands) {
  const Rows rows = rows_of(spec);
  OptimizerParams p = {};
  p.options = options_of(spec);
  p.rates = operands.rates;
  p.gradient = matrix_of(operands.gradient, spec.dtype, spec.gradient_stride, rows);
  p.parameter = matrix_of(operands.parameter, FOVEA_FLOAT32, spec.parameter_stride, rows);
  p.mean = matrix_of(operands.mean, FOVEA_FLOAT32, spec.mean_stride, rows);
  p.square = matrix_of(operands.square, FOVEA_FLOAT32, spec.square_stride, rows);
  p.out = matrix_of(operands.out, spec.out_dtype, spec.out_stride, rows);
  p.rows = rows.count;
  p.length = rows.length;
  p.lanes = tiles_of(rows.length, kPacket);
  p.tile_lanes = int32_t(std::clamp<int64_t>(p.lanes, 1, kTile));
  p.tile_rows = int32_t(std::clamp<int64_t>(kTile / p.tile_lanes, 1, std::max<int64_t>(1, p.rows)));
  p.tiles = tiles_of(p.lanes, p.tile_lanes);
  return p;
}

int32_t plan_step(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t refusal = check_capability(device, plan.error)) return refusal;
  const Spec& spec = spec_of(plan);
  const OptimizerParams p = make_params(spec, {});
  if (int32_t status = count_items("tiles of parameters", {tiles_of(p.rows, p.tile_rows), p.tiles},
                                   plan.items[0], plan.error)) {
    return status;
  }
  plan.isa = kLeastCapability;
  plan.phases = 1;
  plan.tile_queries = p.tile_rows;
  plan.tile_keys = p.tile_lanes * kPacket;
  std::snprintf(plan.kernel, sizeof plan.kernel, "optimizer_cuda_sm80_%s_%dx%d",
                name_of(spec.dtype), plan.tile_queries, plan.tile_keys);
  return FOVEA_OK;
}

}  // namespace fovea::optimizer::cuda
