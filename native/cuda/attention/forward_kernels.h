// The instantiations of attention_forward, one source file for each type so that they compile side by
// side. Each file gives the address of its part of the table of variants.
#pragma once

#include <utility>

#include "cuda/attention/forward.cuh"

namespace fovea::attention::cuda {

template <Precision kPrecision, bool kPositions, size_t... kIndex>
constexpr auto instantiate(std::index_sequence<kIndex...>) {
  return std::array<AttentionKernel*, sizeof...(kIndex)>{attention_forward<int(
      first_variant(kAttentionVariants, kPrecision, kPositions) + kIndex)>...};
}

template <Precision kPrecision, bool kPositions = false>
constexpr auto kKernels = instantiate<kPrecision, kPositions>(
    std::make_index_sequence<count_variants(kAttentionVariants, kPrecision, kPositions)>());

}  // namespace fovea::attention::cuda
