// The one place that picks attention's tiles for a GPU.

#include <algorithm>
#include <initializer_list>

#include "cuda/attention/backward_layout.h"
#include "cuda/attention/kernel_names.h"
#include "cuda/attention/plan.h"
#include "cuda/attention/warpgroup_boxes.h"
#include "cuda/softmax/plan.h"

namespace fovea::attention::cuda {
namespace {

Precision precision_of(const Spec& spec) {
  switch (spec.dtype) {
    case FOVEA_FLOAT16:
      return Precision::kFloat16;
    case FOVEA_BFLOAT16:
      return Precision::kBfloat16;
    default:
      return spec.allow_tf32 && !has_positions(spec) ? Precision::kTf32 : Precision::kFloat32;
  }
}

bool needs_general(const Spec& spec) {
  // The plain kernel takes the maximum before it scales, so the scale must keep the order.
  return modifies_scores(spec) || is_sparse(spec) || multiplies_weights(spec) || spec.has_weights ||
         spec.has_top_weights ||
         !(spec.scale > 0) || (spec.pass == FOVEA_FORWARD && spec.output_gates_dtype != 0);
}

bool is_half(int32_t dtype) { return dtype == FOVEA_FLOAT16 || dtype == FOVEA_BFLOAT16; }

// Integers and e4m3 are exact in both types of 16 bits; floats of another type are in float32 alone.
Precision precision_of_cache(const Spec& spec) {
  // Those of 8 bits are, and float16 is as exact for them.
  const bool narrow = is_quantized(spec.dtype) && (is_quantized(spec.cache_dtype) || spec.cache_dtype == FOVEA_FLOAT16);
  if (narrow) return Precision::kFloat16;
  if (!is_quantized(spec.cache_dtype) && spec.cache_dtype != spec.dtype) return Precision::kFloat32;
  return is_half(spec.dtype) ? precision_of(spec) : Precision::kFloat32;
}

// Beyond it there are those of parts alone.
constexpr int kWidest = std::end(kHalfTiles)[-1].head_dim;
static_assert(kWidest == std::end(kCacheFloatTiles)[-1].head_dim && kWidest == std::end(kCacheHalfTiles)[-1].head_dim);

// Whether blocks have parts of the keys each. Weights of all keys need sums of all; and keys that lie as without a
// cache are not worth it where they are few.
bool takes_parts(const Spec& spec) {
  constexpr int64_t kManyKeys = 512;
  if (has_positions(spec) || spec.has_weights || spec.has_top_weights || spec.pass != FOVEA_FORWARD) return false;
  const int64_t widest = std::max(spec.head_dim, spec.value_head_dim);
  if (widest > kWidest) return true;
  const int most = precision_of_cache(spec) == Precision::kFloat32 ? std::end(kPartFloatTiles)[-1].tile.head_dim
                                                                   : std::end(kPartHalfTiles)[-1].tile.head_dim;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  return widest <= most && rows <= kFewRows && (is_cache(spec) || spec.key_length > kManyKeys);
}

// Whether its keys and values come as from a cache: kernels of few rows have no other loader.
bool loads_cache(const Spec& spec) { return is_cache(spec) || takes_parts(spec); }

// Kernels count the entries of lists in 31 bits.
int32_t check_lists(const ListLayout& lists, Error& error) {
  if (lists.words() <= kMaxLength) return FOVEA_OK;
  return fail(error, FOVEA_UNSUPPORTED,
              "the mask has %.3g pairs of tiles of queries and keys, and CUDA kernels take up to 2^31",
              double(lists.words()));
}

// The first variant of a table that is wide enough, and of those that differ in tiles alone the one that the
// device takes; the reason why none is goes to `error`.
template <typename Variants>
int32_t find_variant(const Variants& all, const fovea_device_info& device,
                     const Spec& spec, Precision precision, int32_t& index,
                     char (&error)[FOVEA_ERROR_LENGTH]) {
  const bool general = needs_general(spec), cached = loads_cache(spec), parts = takes_parts(spec);
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& variant) {
    return variant.precision == precision && variant.positions == has_positions(spec) &&
           is_cached(variant) == cached && has_parts(variant) == parts &&
           (cached || variant.general >= general) && spec.head_dim <= variant.head_dim() &&
           spec.value_head_dim <= variant.value_head_dim();
  });
  if (found == all.end()) {
    const bool positions = has_positions(spec);
    return fail(error, FOVEA_UNSUPPORTED,
                "head_dim is %lld and value_head_dim %lld, and CUDA kernels %s take up to %d each",
                (long long)spec.head_dim, (long long)spec.value_head_dim,
                positions                     ? "with content_bias or position_keys"
                : spec.pass == FOVEA_BACKWARD ? "of a backward pass"
                                              : "that write weights",
                positions ? std::end(kPositionHalfTiles)[-1].head_dim : kWidest);
  }
  index = int32_t(found - all.begin());
  while (!is_taken(all, size_t(index), device.shared_memory)) ++index;
  return FOVEA_OK;
}

// Whether all factors are of e4m3, with no scales but those of heads, and lie as without a cache.
bool is_narrow(const Spec& spec) {
  const auto of_heads = [](int32_t given, const int64_t (&stride)[2]) { return !given || stride[1] == 0; };
  return spec.dtype == FOVEA_FLOAT8_E4M3 && spec.cache_dtype == spec.dtype && !spec.has_block_table &&
         !spec.has_tree_mask && !takes_parts(spec) && of_heads(spec.has_key_scales, spec.key_scales_stride) &&
         of_heads(spec.has_value_scales, spec.value_scales_stride);
}

// Whether device and library have kernels of warpgroups, and a problem nothing that is the general kernel's. Rows that
// lie densely are to be taken by the copy engine whatever their number, or never.
bool may_take_warpgroups(const fovea_device_info& device, const Spec& spec) {
  constexpr bool kAreBuilt = FOVEA_WARPGROUPS;
  if (!kAreBuilt || device.compute_capability != kWarpgroupCapability) return false;
  if (has_positions(spec) || needs_general(spec)) return false;
  if (is_narrow(spec)) return spec.head_dim % 16 == 0;
  return is_half(spec.dtype) && !loads_cache(spec) && spec.head_dim % 8 == 0 && spec.value_head_dim % 8 == 0;
}

// The kernel of warpgroups that takes a problem, or -1.
int32_t find_warpgroups(const fovea_device_info& device, const Spec& spec) {
  if (!may_take_warpgroups(device, spec)) return -1;
  const Precision precision = is_narrow(spec) ? Precision::kFloat8 : precision_of(spec);
  const auto found = std::find_if(kWarpgroupVariants.begin(), kWarpgroupVariants.end(), [&](const auto& it) {
    return it.precision == precision && spec.head_dim <= it.tile.head_dim &&
           spec.value_head_dim <= it.tile.value_head_dim;
  });
  if (found == kWarpgroupVariants.end()) return -1;
  if (!AttentionBoxes(spec, nullptr, nullptr, nullptr, *found).are_taken()) return -1;
  return int32_t(found - kWarpgroupVariants.begin());
}

// The same of a backward pass, whose variant says its widths. dout is seen when it runs, and may be a copy.
const WarpgroupKeysVariant* find_warpgroup_keys(const fovea_device_info& device, const Spec& spec,
                                                const BackwardVariant& variant) {
  if (!may_take_warpgroups(device, spec) || shared_heads(spec) != spec.query_heads / spec.key_heads) return nullptr;
  const auto found = std::find_if(kWarpgroupKeysVariants.begin(), kWarpgroupKeysVariants.end(), [&](const auto& it) {
    return it.precision == variant.precision && it.tile.head_dim == variant.head_dim();
  });
  if (found == kWarpgroupKeysVariants.end()) return nullptr;
  // Its keys are as many as the variant's, whose other kernels stay.
  if (found->tile.kKeys != variant.tile.keys.keys() || variant.padding() % found->tile.rows != 0) return nullptr;
  BackwardParams b = {};
  std::copy_n(spec.query_stride, 3, b.dout_factor_stride);
  return BackwardBoxes(spec, b, found->tile).are_taken() ? &*found : nullptr;
}

// Blocks stay, and take one tile of rows after another.
int32_t plan_warpgroups(const fovea_device_info& device, const Spec& spec, fovea_plan& plan) {
  const WarpgroupVariant& variant = kWarpgroupVariants[plan.variant];
  const WarpgroupItems items(spec, variant.tile);
  if (int32_t status = count_items("tiles of queries for each pair of batch and query head",
                                   {items.tiles, spec.batch, items.groups}, plan.items[0], plan.error)) {
    return status;
  }
  plan.items[0] = std::min<int64_t>(plan.items[0], device.multiprocessors);
  if (variant.has_transposed_values()) {
    const TransposedValues values(spec);
    plan.phases = 2;
    plan.items[1] = plan.items[0];
    if (int32_t status = count_items("tiles of keys for each pair of batch and key head",
                                     {values.sequence_tiles, spec.batch, spec.key_heads}, plan.items[0], plan.error)) {
      return status;
    }
    plan.workspace_bytes = values.bytes();
  }
  plan.isa = kWarpgroupCapability;
  plan.tile_queries = variant.tile.rows();
  plan.tile_keys = variant.tile.keys;
  plan.section *= items.groups / spec.key_heads;
  write_name(plan.kernel, variant);
  return FOVEA_OK;
}

}  // namespace

int32_t plan_forward(const fovea_device_info& device, fovea_plan& plan) {
  if (int32_t status = plan_portable(device, plan)) return status;
  const Spec spec = spec_of_kernels(spec_of(plan));
  const int32_t warpgroups = find_warpgroups(device, spec);
  if (warpgroups < 0) return FOVEA_OK;
  plan.variant = warpgroups;
  return plan_warpgroups(device, spec, plan);
}

int32_t plan_portable(const fovea_device_info& device, fovea_plan& plan) {
  const Spec spec = spec_of_kernels(spec_of(plan));
  if (int32_t status = check_device(device, spec, plan.error)) return status;
  const Precision precision = loads_cache(spec) ? precision_of_cache(spec) : precision_of(spec);
  if (int32_t status = find_variant(kAttentionVariants, device, spec, precision, plan.variant,
                                    plan.error)) {
    return status;
  }
  const AttentionVariant& variant = kAttentionVariants[plan.variant];
  if (int32_t status = check_shared(device, spec, variant.shared_bytes(), plan.error)) {
    return status;
  }
  const AttentionTile& tile = variant.tile;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  const PartLayout parts(spec, variant);
  if (int32_t status = count_items("tiles of queries for each pair of batch and key head",
                                   {tiles_of(rows, tile.rows()), spec.batch, spec.key_heads,
                                    parts.count},
                                   plan.items[0], plan.error)) {
    return status;
  }
  plan.isa = kLeastCapability;
  plan.tile_queries = tile.rows();
  plan.tile_keys = tile.keys;
  plan.phases = 1;
  if (parts.count > 1) {
    plan.phases = 2;
    plan.items[1] = parts.row_tiles * spec.batch * spec.key_heads;
  }
  plan.section = section_of(spec, device, variant.element_bytes());
  const ListLayout lists(spec, tile);
  if (int32_t status = check_lists(lists, plan.error)) return status;
  plan.workspace_bytes = parts.bytes() + 4 * int64_t(lists.words());
  write_name(plan.kernel, variant);
  return FOVEA_OK;
}

int32_t plan_backward(const fovea_device_info& device, fovea_plan& plan) {
  const Spec spec = spec_of_kernels(spec_of(plan));
  if (int32_t status = check_device(device, spec, plan.error)) return status;
  // TF32 is never asked for: float32 gradients are exact.
  const Precision precision =
      spec.dtype == FOVEA_FLOAT32 ? Precision::kFloat32 : precision_of(spec);
  if (int32_t status = find_variant(kBackwardVariants, device, spec, precision, plan.variant,
                                    plan.error)) {
    return status;
  }
  const BackwardVariant& variant = kBackwardVariants[plan.variant];
  // With keys of distances dquery is always summed by the block that owns it.
  const bool deterministic = spec.deterministic || variant.positions;
  const int shared = std::max(variant.shared_bytes(), variant.queries_shared_bytes());
  if (int32_t status = check_shared(device, spec, shared, plan.error)) return status;

  const KeysTile& keys = variant.tile.keys;
  const AttentionTile& queries = variant.tile.queries;
  const int64_t rows = spec.query_length * (spec.query_heads / spec.key_heads);
  const auto most = [](__int128 count) {
    return int64_t(std::min(count, __int128{kMaxLength} + 1));
  };
  const struct {
    const char* what;
    std::initializer_list<int64_t> counts;
  } phases[kBackwardPhases] = {
      {"tiles of queries for each pair of batch and key head",
       {tiles_of(rows, variant.padding()), spec.batch, spec.key_heads}},
      {"tiles of keys for each pair of batch and key head",
       {tiles_of(spec.key_length, keys.keys()), spec.batch, spec_of(plan).key_heads}},
      {"tiles of queries for each pair of batch and key head",
       {tiles_of(rows, deterministic ? queries.rows() : keys.rows), spec.batch, spec.key_heads}},
      {"tiles of dbias and dkey_gates", {most(KeyOperandItems(spec, queries).count)}},
      {"gradients of row operands and the relative table",
       {most(RowOperandItems(spec, variant).count)}},
      {"dsinks", {spec.has_dsinks, spec.query_heads}},
  };
  plan.phases = kBackwardPhases;
  for (int phase = 0; phase < kBackwardPhases; ++phase) {
    if (int32_t status =
            count_items(phases[phase].what, phases[phase].counts, plan.items[phase], plan.error)) {
      return status;
    }
  }
  plan.isa = kLeastCapability;
  plan.tile_queries = keys.rows;
  plan.tile_keys = keys.keys();
  plan.section = section_of(spec, device, variant.element_bytes());
  if (int32_t status = check_lists(ListLayout(spec, queries), plan.error)) return status;
  if (!variant.positions) {
    if (int32_t status = check_lists(ListLayout(spec, keys), plan.error)) return status;
  }
  // No more rows than a grid's tiles have.
  plan.workspace_bytes = int64_t(BackwardLayout(plan).bytes);
  write_name(plan.kernel, variant, deterministic);
  if (const WarpgroupKeysVariant* const it = find_warpgroup_keys(device, spec, variant)) {
    plan.isa = kWarpgroupCapability;
    plan.tile_queries = it->tile.rows;
    write_name(plan.kernel, *it, deterministic);
  }
  return FOVEA_OK;
}

}  // namespace fovea::attention::cuda
