// What planners of kernels whose scores are no product of matrices pick alike.
#pragma once

#include <cstdio>
#include <initializer_list>

#include "cuda/pairs/layout.h"

namespace fovea::pairs::cuda {

template <typename Spec>
void name_kernel(const char* name, const Spec& spec, fovea_plan& plan) {
  std::snprintf(plan.kernel, sizeof plan.kernel, "%s_sm80_%s_%dx%d", name, name_of(spec.dtype),
                plan.tile_queries, plan.tile_keys);
}

// `shared_bytes(tile)` are those of a block, for a pointer to its ForwardTile.
template <typename Spec, typename SharedBytes>
int32_t plan_forward_tiles(const fovea_device_info& device, const Spec& spec, const char* name,
                           SharedBytes shared_bytes, fovea_plan& plan) {
  if (int32_t status = check_device(device, spec, plan.error)) return status;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  plan.variant = forward_variant(rows, spec.value_head_dim);
  const int tile_rows = kForwardRows[plan.variant];
  const int shared = with_forward_tile(plan.variant, shared_bytes);
  if (int32_t status = check_shared(device, spec, shared, plan.error)) return status;
  if (int32_t status = count_items("tiles of queries for each pair of batch and key head",
                                   {tiles_of(rows, tile_rows), spec.batch, spec.key_heads},
                                   plan.items[0], plan.error)) {
    return status;
  }
  plan.isa = kLeastCapability;
  plan.tile_queries = tile_rows;
  plan.tile_keys = kKeys;
  plan.phases = 1;
  plan.section = section_of(spec, device, element_bytes(spec.dtype));
  name_kernel(name, spec, plan);
  return FOVEA_OK;
}

// `sums`: the items of kSumsPhase, as the factors of their number.
template <typename Spec>
int32_t plan_backward_tiles(const fovea_device_info& device, const Spec& spec, const char* name,
                            int shared_bytes, std::initializer_list<int64_t> sums,
                            const RowLayout& layout, fovea_plan& plan) {
  if (int32_t status = check_device(device, spec, plan.error)) return status;
  if (int32_t status = check_shared(device, spec, shared_bytes, plan.error)) return status;
  const int64_t dim_chunks = tiles_of(spec.head_dim, kChunk);
  const int64_t chunks = std::max(dim_chunks, tiles_of(spec.value_head_dim, kChunk));
  const char* const queries = "tiles of queries for each pair of batch and key head";
  const struct {
    const char* what;
    std::initializer_list<int64_t> counts;
  } phases[kBackwardPhases] = {
      {queries, {row_tiles(spec), spec.batch, spec.key_heads}},
      {"tiles of keys for each pair of batch and key head",
       {tiles_of(spec.key_length, kKeys), chunks, spec.batch, spec.key_heads}},
      {queries, {row_tiles(spec), dim_chunks, spec.batch, spec.key_heads}},
      {"gradients of heads", sums},
  };
  plan.phases = kBackwardPhases;
  for (int phase = 0; phase < kBackwardPhases; ++phase) {
    if (int32_t status =
            count_items(phases[phase].what, phases[phase].counts, plan.items[phase], plan.error)) {
      return status;
    }
  }
  plan.isa = kLeastCapability;
  plan.tile_queries = BackwardTile::kRows;
  plan.tile_keys = kKeys;
  plan.section = section_of(spec, device, element_bytes(spec.dtype));
  // No more rows than a grid's tiles have.
  plan.workspace_bytes = int64_t(layout.bytes);
  name_kernel(name, spec, plan);
  return FOVEA_OK;
}

}  // namespace fovea::pairs::cuda
