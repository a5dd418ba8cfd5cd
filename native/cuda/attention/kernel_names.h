// What plans, reports and profiles call a kernel: precision, query rows x keys of a tile, head dim.
#pragma once

#include <cstdio>

#include "cuda/attention/backward_tiles.h"
#include "cuda/attention/warpgroup_tiles.h"

namespace fovea::attention::cuda {

constexpr const char* name_of(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return "f16";
    case Precision::kBfloat16:
      return "bf16";
    case Precision::kTf32:
      return "tf32";
    case Precision::kFloat8:
      return "e4m3";
    default:
      return "f32";
  }
}

constexpr const char* features_of(const auto& variant) {
  if (has_parts(variant)) return "_parts";
  if (is_cached(variant)) return variant.positions ? "_positions_cache" : "_cache";
  if (variant.positions) return "_positions";
  return variant.general ? "_general" : "";
}

template <size_t kLength>
void write_name(char (&name)[kLength], const AttentionVariant& variant) {
  std::snprintf(name, kLength, "flash_cuda_sm80_%s_%dx%d_d%d%s", name_of(variant.precision),
                variant.tile.rows(), variant.tile.keys, variant.tile.head_dim,
                features_of(variant));
}

template <size_t kLength>
void write_name(char (&name)[kLength], const WarpgroupVariant& variant) {
  const WarpgroupTile& tile = variant.tile;
  char values[8] = "";
  if (tile.value_head_dim != tile.head_dim) std::snprintf(values, sizeof values, "_%d", tile.value_head_dim);
  std::snprintf(name, kLength, "flash_cuda_sm90_%s_%dx%d_d%d%s", name_of(variant.precision), tile.rows(), tile.keys,
                tile.head_dim, values);
}

template <size_t kLength>
void write_name(char (&name)[kLength], const WarpgroupKeysVariant& variant, bool deterministic) {
  std::snprintf(name, kLength, "flash_cuda_sm90_backward_%s_%dx%d_d%d%s", name_of(variant.precision),
                variant.tile.rows, variant.tile.kKeys, variant.tile.head_dim, deterministic ? "_deterministic" : "");
}

// The keys kernel of a backward pass, or the queries kernel if it is `deterministic`.
template <size_t kLength>
void write_name(char (&name)[kLength], const BackwardVariant& variant, bool deterministic) {
  std::snprintf(name, kLength, "flash_cuda_sm80_backward_%s_%dx%d_d%d%s%s",
                name_of(variant.precision), variant.tile.keys.rows, variant.tile.keys.keys(),
                variant.head_dim(), features_of(variant), deterministic ? "_deterministic" : "");
}

}  // namespace fovea::attention::cuda
