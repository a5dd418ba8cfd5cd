// The one place that picks additive attention's tiles for a GPU.

#include "cuda/additive/plan.h"

#include <cstdio>

#include "cuda/additive/layout.h"

namespace fovea::additive::cuda {
namespace {

int element_bytes(const Spec& spec) { return spec.dtype == FOVEA_FLOAT32 ? 4 : 2; }

const char* name_of(int32_t dtype) {
  return dtype == FOVEA_FLOAT32 ? "f32" : dtype == FOVEA_FLOAT16 ? "f16" : "bf16";
}

void name_kernel(const char* name, const Spec& spec, fovea_plan& plan) {
  std::snprintf(plan.kernel, sizeof plan.kernel, "%s_sm80_%s_%dx%d", name, name_of(spec.dtype),
                plan.tile_queries, plan.tile_keys);
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (int32_t status = check_device(device, spec, plan.error)) return status;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  plan.variant = forward_variant(rows, spec.value_head_dim);
  const int tile_rows = kForwardRows[plan.variant];
  const int shared = with_forward_tile(plan.variant, [&](auto* tile) {
    return tile->shared_bytes(heads_of(spec, tile_rows), int(spec.value_head_dim));
  });
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
  plan.section = section_of(spec, device, element_bytes(spec));
  name_kernel("additive_cuda", spec, plan);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec& spec = spec_of(plan);
  if (int32_t status = check_device(device, spec, plan.error)) return status;
  const int shared = BackwardTile::shared_bytes(heads_of(spec, BackwardTile::kRows));
  if (int32_t status = check_shared(device, spec, shared, plan.error)) return status;
  const int64_t dim_chunks = tiles_of(spec.head_dim, kChunk);
  const int64_t chunks = std::max(dim_chunks, tiles_of(spec.value_head_dim, kChunk));
  const bool sums = spec.has_dweight || spec.has_dbias;
  const char* const queries = "tiles of queries for each pair of batch and key head";
  const struct {
    const char* what;
    std::initializer_list<int64_t> counts;
  } phases[kBackwardPhases] = {
      {queries, {row_tiles(spec), spec.batch, spec.key_heads}},
      {"tiles of keys for each pair of batch and key head",
       {tiles_of(spec.key_length, kKeys), chunks, spec.batch, spec.key_heads}},
      {queries, {row_tiles(spec), dim_chunks, spec.batch, spec.key_heads}},
      {"tiles of dweight", {sums, spec.query_heads, dim_chunks}},
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
  plan.section = section_of(spec, device, element_bytes(spec));
  // No more rows than a grid's tiles have.
  plan.workspace_bytes = int64_t(BackwardLayout(spec).bytes);
  name_kernel("additive_cuda_backward", spec, plan);
  return FOVEA_OK;
}

}  // namespace fovea::additive::cuda
