// The items of both passes: which rows of which sequence each is.

#include <algorithm>

#include "core/block.h"
#include "cpu/rotary/kernels.h"
#include "cpu/rotary/passes.h"

namespace fovea::rotary::cpu {
namespace {

int32_t check_positions(const Spec& spec, const Inputs& inputs, const Tile& tile,
                        fovea_call& call) {
  for (int64_t row = tile.first; spec.has_positions && row < tile.end; ++row) {
    const int64_t position = position_of(spec, inputs, tile.batch, row);
    if (position >= 0 && position < spec.position_count) continue;
    return fail(call.error, FOVEA_INVALID_ARGUMENT,
                "positions[%lld, %lld] is %lld, expected 0 to %lld", (long long)tile.batch,
                (long long)row, (long long)position, (long long)spec.position_count - 1);
  }
  return FOVEA_OK;
}

template <typename Operands>
int32_t run_pass(const backend::Run& run, fovea_call& call,
                 void (*kernel)(const Spec&, const Operands&, const Tile&)) {
  const Spec& spec = spec_of(run.plan);
  const auto& operands = *static_cast<const Operands*>(run.operands);
  const int64_t rows = run.plan.tile_queries, tiles = (spec.length + rows - 1) / rows;
  for (int64_t item = call.begin; item < call.end; ++item) {
    Tile tile = {item / tiles, item % tiles * rows, 0};
    tile.end = std::min(tile.first + rows, spec.length);
    if (int32_t status = check_positions(spec, operands, tile, call)) return status;
    kernel(spec, operands, tile);
  }
  return FOVEA_OK;
}

}  // namespace

int32_t run_forward(const backend::Run& run, fovea_call& call) {
  return run_pass(run, call, kernels_of(run.plan.isa).forward);
}

int32_t run_backward(const backend::Run& run, fovea_call& call) {
  return run_pass(run, call, kernels_of(run.plan.isa).backward);
}

}  // namespace fovea::rotary::cpu
