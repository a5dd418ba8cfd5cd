// The instantiations of warpgroups' kernels: each source file gives the address of its part of the table of variants.
#pragma once

#include <utility>

#include "cuda/attention/warpgroup_backward.cuh"
#include "cuda/attention/warpgroup_forward.cuh"

namespace fovea::attention::cuda {

template <size_t kFirst, size_t... kIndex>
constexpr auto instantiate_warpgroups(std::index_sequence<kIndex...>) {
  return std::array<WarpgroupKernel*, sizeof...(kIndex)>{warpgroup_forward<int(kFirst + kIndex)>...};
}

template <Precision kPrecision>
constexpr auto kWarpgroupKernels = instantiate_warpgroups<first_warpgroup_variant(kPrecision)>(
    std::make_index_sequence<warpgroup_tiles(kPrecision)>());

template <size_t kFirst, size_t... kIndex>
constexpr auto instantiate_warpgroup_keys(std::index_sequence<kIndex...>) {
  return std::array<WarpgroupBackwardKernel*, sizeof...(kIndex)>{warpgroup_backward_keys<int(kFirst + kIndex)>...};
}

template <Precision kPrecision>
constexpr auto kWarpgroupKeysKernels =
    instantiate_warpgroup_keys<kPrecision == Precision::kFloat16 ? 0 : std::size(kWarpgroupKeysTiles)>(
        std::make_index_sequence<std::size(kWarpgroupKeysTiles)>());

}  // namespace fovea::attention::cuda
