// The one place that picks distance attention's tiles for a GPU.

#include "cuda/distance/plan.h"

#include "cuda/distance/layout.h"
#include "cuda/pairs/plan.h"

namespace fovea::distance::cuda {

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const auto shared_bytes = [&](auto* tile) {
    return tile->shared_bytes(0, int(spec.value_head_dim));
  };
  return plan_forward_tiles(device, spec, "distance_cuda", shared_bytes, plan);
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  return plan_backward_tiles(device, spec, "distance_cuda_backward", BackwardTile::shared_bytes(0),
                             {spec.has_dbandwidth, spec.query_heads}, BackwardLayout(spec), plan);
}

}  // namespace fovea::distance::cuda
