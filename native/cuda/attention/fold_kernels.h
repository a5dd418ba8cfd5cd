// The instantiations of what folds parts, as forward_kernels.h has those of attention_forward: an address for each
// variant with a cache, null where it has no parts.
#pragma once

#include "cuda/attention/forward_kernels.h"

namespace fovea::attention::cuda {

template <int kVariant>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(32 * kAttentionVariant<kVariant>.fold_warps(),
                                 4) void attention_fold(const AttentionParams p) {
  fold_parts<kAttentionVariant<kVariant>>(p);
}

template <int kVariant>
constexpr AttentionKernel* fold_kernel() {
  if constexpr (kAttentionVariant<kVariant>.part_keys > 0) return attention_fold<kVariant>;
  return nullptr;
}

template <Precision kPrecision, size_t... kIndex>
constexpr auto instantiate_folds(std::index_sequence<kIndex...>) {
  return std::array<AttentionKernel*, sizeof...(kIndex)>{
      fold_kernel<int(first_variant(kAttentionVariants, kPrecision, false, true) + kIndex)>()...};
}

template <Precision kPrecision>
constexpr auto kFolds = instantiate_folds<kPrecision>(
    std::make_index_sequence<count_variants(kAttentionVariants, kPrecision, false, true)>());

}  // namespace fovea::attention::cuda
