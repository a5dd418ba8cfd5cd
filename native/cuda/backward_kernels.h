// The instantiations of the backward kernels, one source file for each type, as those of the forward.
#pragma once

#include <utility>

#include "cuda/backward_bias.cuh"
#include "cuda/backward_keys.cuh"
#include "cuda/backward_table.h"

namespace fovea {

template <BackwardVariant kIt>
constexpr BackwardKernels backward_kernels() {
  if constexpr (kIt.general) {
    return {backward_keys<kIt>, backward_queries<without_keys(kIt)>, backward_convert<kIt>,
            backward_bias<without_keys(kIt)>, backward_slopes<without_keys(kIt)>};
  } else {  // whoever has a bias has the general kernel
    return {backward_keys<kIt>, backward_queries<without_keys(kIt)>, backward_convert<kIt>,
            nullptr, nullptr};
  }
}

template <Precision kPrecision, size_t... kIndex>
constexpr auto instantiate_backward(std::index_sequence<kIndex...>) {
  return std::array<BackwardKernels, sizeof...(kIndex)>{
      backward_kernels<
          kBackwardVariants[first_variant(kBackwardVariants, kPrecision) + kIndex]>()...};
}

template <Precision kPrecision>
constexpr auto kBackwardKernels = instantiate_backward<kPrecision>(
    std::make_index_sequence<count_variants(kBackwardVariants, kPrecision)>());

}  // namespace fovea
