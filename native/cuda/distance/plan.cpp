// The one place that picks distance attention's tiles for a GPU.

#include "cuda/distance/plan.h"

#include "cuda/distance/layout.h"
#include "cuda/pairs/plan.h"

namespace fovea::distance::cuda {

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const auto shared_bytes = [&](auto* tile) { return out_shared_bytes(*tile, spec); };
  if (int32_t status = plan_forward_tiles(device, spec, "distance_cuda", shared_bytes, plan)) {
    return status;
  }
  if (!is_linear(spec)) return FOVEA_OK;
  if (int32_t status = check_shared(device, spec, fits_shared_bytes(spec), plan.error)) {
    return status;
  }
  plan.items[kOutPhase] = plan.items[0];
  if (int32_t status = count_items("tiles of queries for each pair of batch and key head",
                                   {row_tiles(spec), spec.batch, spec.key_heads},
                                   plan.items[kFitsPhase], plan.error)) {
    return status;
  }
  plan.phases = kOutPhase + 1;
  // No more rows than a grid's tiles have.
  plan.workspace_bytes = int64_t(fits_bytes(spec));
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  const int shared =
      std::max(backward_shared_bytes(spec, kRowsPhase), backward_shared_bytes(spec, kKeysPhase));
  return plan_backward_tiles(device, spec, "distance_cuda_backward", shared,
                             {spec.has_dbandwidth, spec.query_heads}, BackwardLayout(spec), plan);
}

}  // namespace fovea::distance::cuda
