// The instantiations of the backward kernels, one source file for each type, as those of the forward.
#pragma once

#include <utility>

#include "cuda/attention/backward_bias.cuh"
#include "cuda/attention/backward_keys.cuh"
#include "cuda/attention/backward_positions.cuh"
#include "cuda/attention/backward_statistics.cuh"
#include "cuda/attention/backward_table.h"

namespace fovea::attention::cuda {

template <int kVariant>
constexpr BackwardKernels backward_kernels() {
  constexpr int kQueries = first_with_queries(kVariant);
  constexpr bool kPositions = kBackwardVariants[kVariant].positions;
  BackwardKernels kernels = {};
  kernels.statistics = backward_statistics<kBackwardVariants[kVariant].precision, kPositions>;
  kernels.queries = backward_queries<kQueries>;
  if constexpr (kPositions) {
    kernels.keys = backward_position_keys<kVariant>;
    kernels.positions = backward_positions<kVariant>;
  } else {
    kernels.keys = backward_keys<kVariant>;
    kernels.convert = backward_convert<kVariant>;
  }
  if constexpr (kBackwardVariants[kVariant].general) {  // whoever has a bias has this
    kernels.bias = backward_bias<kQueries>;
    kernels.row_operands = backward_row_operands<kQueries>;
  }
  return kernels;
}

template <Precision kPrecision, bool kPositions, size_t... kIndex>
constexpr auto instantiate_backward(std::index_sequence<kIndex...>) {
  return std::array<BackwardKernels, sizeof...(kIndex)>{backward_kernels<int(
      first_variant(kBackwardVariants, kPrecision, kPositions) + kIndex)>()...};
}

template <Precision kPrecision, bool kPositions = false>
constexpr auto kBackwardKernels = instantiate_backward<kPrecision, kPositions>(
    std::make_index_sequence<count_variants(kBackwardVariants, kPrecision, kPositions)>());

}  // namespace fovea::attention::cuda
