// The one place that picks additive attention's tiles for a GPU.

#include "cuda/additive/plan.h"

#include "cuda/additive/layout.h"
#include "cuda/pairs/plan.h"

namespace fovea::additive::cuda {

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const auto shared_bytes = [&](auto* tile) {
    return tile->shared_bytes(heads_of(spec, tile->kRows), int(spec.value_head_dim));
  };
  return plan_forward_tiles(device, spec, "additive_cuda", shared_bytes, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const bool sums = spec.has_dweight || spec.has_dbias;
  return plan_backward_tiles(device, spec, "additive_cuda_backward",
                             BackwardTile::shared_bytes(heads_of(spec, BackwardTile::kRows)),
                             {sums, spec.query_heads, tiles_of(spec.head_dim, kChunk)},
                             BackwardLayout(spec), plan);
}

}  // namespace fovea::additive::cuda
