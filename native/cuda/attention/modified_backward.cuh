// The kernels of one variant of the backward pass that compute scores, as modified_forward.cuh.
#pragma once

#include "cuda/attention/backward_bias.cuh"
#include "cuda/attention/backward_keys.cuh"
#include "cuda/attention/backward_positions.cuh"
#include "cuda/attention/backward_queries.cuh"
#include "cuda/attention/backward_statistics.cuh"

namespace fovea::attention::cuda {

constexpr BackwardVariant kModified = kBackwardVariant<FOVEA_VARIANT>;
constexpr BackwardVariant kModifiedQueries = kBackwardVariant<first_with_queries(FOVEA_VARIANT)>;

extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kRowThreads, 1)
void modified_statistics(const BackwardParams b) {
  RowStatistics<kModified.precision, kModified.positions>(b).run();
}

template <BackwardVariant kIt>
FOVEA_DEVICE void sum_keys(const BackwardParams& b) {
  if constexpr (kIt.positions) {
    BackwardPositions<kIt>(b).keys();
  } else {
    BackwardKeys<kIt>(b).run();
  }
}

template <BackwardVariant kIt>
FOVEA_DEVICE void sum_distances(const BackwardParams& b) {
  if constexpr (kIt.positions) BackwardPositions<kIt>(b).distances();
}

constexpr int kKeysThreads =
    kModified.positions ? kModified.tile.queries.threads() : kModified.tile.keys.threads();

extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kKeysThreads, kModified.positions ? 1 : kModified.tile.keys.blocks)
void modified_keys(const BackwardParams b) {
  sum_keys<kModified>(b);
}

// Empty where there are no keys of distances.
extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kModified.tile.queries.threads(), 1)
void modified_positions(const BackwardParams b) {
  sum_distances<kModified>(b);
}

extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kModifiedQueries.tile.queries.threads(),
                                            kModifiedQueries.tile.queries.blocks)
void modified_queries(const BackwardParams b) {
  BackwardQueries<kModifiedQueries>(b).run();
}

extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kModifiedQueries.tile.queries.threads(), 1)
void modified_bias(const BackwardParams b) {
  BackwardBias<kModifiedQueries>(b).bias();
}

extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kModifiedQueries.tile.queries.threads(), 1)
void modified_row_operands(const BackwardParams b) {
  BackwardBias<kModifiedQueries>(b).row_operands();
}

}  // namespace fovea::attention::cuda
