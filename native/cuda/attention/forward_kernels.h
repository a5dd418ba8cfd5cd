// The instantiations of attention_forward, one source file for each type so that they compile side by
// side. Each file gives the address of its part of the table of variants.
#pragma once

#include <utility>

#include "cuda/attention/forward.cuh"

namespace fovea::attention::cuda {

template <Precision kPrecision, bool kPositions, bool kCached, size_t... kIndex>
constexpr auto instantiate(std::index_sequence<kIndex...>) {
  return std::array<AttentionKernel*, sizeof...(kIndex)>{attention_forward<int(
      first_variant(kAttentionVariants, kPrecision, kPositions, kCached) + kIndex)>...};
}

template <Precision kPrecision, bool kPositions = false, bool kCached = false>
constexpr auto kKernels = instantiate<kPrecision, kPositions, kCached>(std::make_index_sequence<
    count_variants(kAttentionVariants, kPrecision, kPositions, kCached)>());

}  // namespace fovea::attention::cuda
