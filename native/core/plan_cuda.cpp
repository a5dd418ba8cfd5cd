// The one place that picks tiles for a GPU.

#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>

#include "core/attention.h"
#include "core/block.h"
#include "cuda/attention_tiles.h"

namespace fovea {
namespace {

constexpr int kLeastCapability = 80;  // of mma.sync with float32 sums of bfloat16, and of cp.async
constexpr int64_t kLongest = std::numeric_limits<int32_t>::max() - 1024;

Precision precision_of(const fovea_attention_spec& spec) {
  switch (spec.dtype) {
    case FOVEA_FLOAT16:
      return Precision::kFloat16;
    case FOVEA_BFLOAT16:
      return Precision::kBfloat16;
    default:
      return spec.allow_tf32 ? Precision::kTf32 : Precision::kFloat32;
  }
}

const char* text(Precision precision) {
  switch (precision) {
    case Precision::kFloat16:
      return "f16";
    case Precision::kBfloat16:
      return "bf16";
    case Precision::kTf32:
      return "tf32";
    default:
      return "f32";
  }
}

bool needs_general(const fovea_attention_spec& spec) {
  // The plain kernel takes the maximum before it scales, so the scale must keep the order.
  return spec.softcap != 0 || spec.bias_dtype != 0 || spec.has_alibi || spec.dropout != 0 ||
         spec.has_weights || !(spec.scale > 0);
}

bool fits(const AttentionVariant& variant, const fovea_attention_spec& spec) {
  return spec.head_dim <= variant.tile.head_dim &&
         spec.value_head_dim <= variant.tile.value_head_dim;
}

// The first variant of the table that computes the spec; nullptr if none does.
const AttentionVariant* find_variant(const fovea_attention_spec& spec) {
  const Precision precision = precision_of(spec);
  const bool general = needs_general(spec);
  for (const AttentionVariant& variant : kAttentionVariants) {
    if (variant.precision == precision && variant.general >= general && fits(variant, spec)) {
      return &variant;
    }
  }
  return nullptr;
}

// Pairs whose keys and values share half of L2. Where every tile takes the same time, one pair after
// the other is best; under a causal mask the tiles of several pairs must mix to end together.
int64_t section_of(const fovea_attention_spec& spec, const fovea_device_info& device,
                   int element_bytes) {
  const int64_t pairs = std::max<int64_t>(1, spec.batch * spec.key_heads);
  if (!spec.causal) return 1;
  const int64_t pair_bytes =
      std::max<int64_t>(1, spec.key_length * (spec.head_dim + spec.value_head_dim) * element_bytes);
  return std::clamp<int64_t>(device.cache_bytes / 2 / pair_bytes, 1, pairs);
}

}  // namespace

int32_t plan_cuda(const fovea_device_info& device, fovea_attention_plan& plan) {
  const int capability = device.compute_capability;
  if (capability < kLeastCapability) {
    return fail(plan.error, FOVEA_UNSUPPORTED,
                "the device has compute capability %d.%d, and Fovea's kernels need 8.0 or later",
                capability / 10, capability % 10);
  }
  const fovea_attention_spec& spec = plan.spec;
  const AttentionVariant* const variant = find_variant(spec);
  if (variant == nullptr) {
    return fail(plan.error, FOVEA_UNSUPPORTED,
                "head_dim is %lld and value_head_dim %lld, and CUDA kernels take up to %d each",
                (long long)spec.head_dim, (long long)spec.value_head_dim,
                std::end(kHalfTiles)[-1].head_dim);
  }
  if (variant->shared_bytes() > device.shared_memory) {
    return fail(plan.error, FOVEA_UNSUPPORTED,
                "head_dim %lld needs %d bytes of shared memory per block, and the device has %lld",
                (long long)spec.head_dim, variant->shared_bytes(), (long long)device.shared_memory);
  }
  // Kernels count positions in 32 bits, and look a little beyond the last.
  for (const auto& [name, length] :
       {std::pair("query_length", spec.query_length), std::pair("key_length", spec.key_length)}) {
    if (length > kLongest) {
      return fail(plan.error, FOVEA_UNSUPPORTED, "%s is %lld, and CUDA kernels take up to %lld",
                  name, (long long)length, (long long)kLongest);
    }
  }
  const AttentionTile& tile = variant->tile;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  const int64_t tiles = (rows + tile.rows() - 1) / tile.rows();
  const int64_t pairs = spec.batch * spec.key_heads;
  if (__int128{tiles} * pairs > std::numeric_limits<int32_t>::max()) {
    return fail(plan.error, FOVEA_UNSUPPORTED,
                "%lld tiles of queries for each of %lld pairs of batch and key head are more "
                "blocks than a grid has",
                (long long)tiles, (long long)pairs);
  }
  plan.isa = kLeastCapability;
  plan.tile_queries = tile.rows();
  plan.tile_keys = tile.keys;
  plan.variant = int32_t(variant - kAttentionVariants.data());
  plan.phases = 1;
  plan.items[0] = tiles * pairs;
  plan.section = section_of(spec, device, variant->element_bytes());
  std::snprintf(plan.kernel, sizeof plan.kernel, "flash_cuda_sm80_%s_%dx%d_d%d%s",
                text(variant->precision), tile.rows(), tile.keys, tile.head_dim,
                variant->general ? "_general" : "");
  return FOVEA_OK;
}

}  // namespace fovea
