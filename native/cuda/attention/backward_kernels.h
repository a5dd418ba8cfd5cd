// The instantiations of the backward kernels, one source file for each type, as those of the forward.
#pragma once

#include <utility>

#include "cuda/attention/backward_bias.cuh"
#include "cuda/attention/backward_keys.cuh"
#include "cuda/attention/backward_statistics.cuh"
#include "cuda/attention/backward_table.h"

namespace fovea::attention::cuda {

template <int kVariant>
constexpr BackwardKernels backward_kernels() {
  constexpr int kQueries = first_with_queries(kVariant);
  BackwardKernels kernels = {backward_statistics<kBackwardVariants[kVariant].precision>,
                             backward_keys<kVariant>,
                             backward_queries<kQueries>,
                             backward_convert<kVariant>,
                             nullptr,
                             nullptr};
  if constexpr (kBackwardVariants[kVariant].general) {  // whoever has a bias has this
    kernels.bias = backward_bias<kQueries>;
    kernels.row_operands = backward_row_operands<kQueries>;
  }
  return kernels;
}

template <Precision kPrecision, size_t... kIndex>
constexpr auto instantiate_backward(std::index_sequence<kIndex...>) {
  return std::array<BackwardKernels, sizeof...(kIndex)>{
      backward_kernels<int(first_variant(kBackwardVariants, kPrecision) + kIndex)>()...};
}

template <Precision kPrecision>
constexpr auto kBackwardKernels = instantiate_backward<kPrecision>(
    std::make_index_sequence<count_variants(kBackwardVariants, kPrecision)>());

}  // namespace fovea::attention::cuda
