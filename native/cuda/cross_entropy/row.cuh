// What the threads of both passes know of a row.
#pragma once

#include "core/constants.h"
#include "cuda/cross_entropy/params.h"
#include "tile/memory.cuh"

namespace fovea::cross_entropy::cuda {

struct Row {
  int64_t batch;
  int32_t row, target;

  FOVEA_DEVICE Row(const CrossEntropyParams& p, int64_t number)
      : batch(number / p.length),
        row(int32_t(number % p.length)),
        target(tile::load_global(p.targets + batch * p.targets_stride + row)) {}

  FOVEA_DEVICE bool is_ignored() const { return target < 0; }
  FOVEA_DEVICE bool is_wrong(const CrossEntropyParams& p) const { return target >= p.classes; }
  FOVEA_DEVICE int64_t at(int64_t stride) const { return batch * stride + row; }
  FOVEA_DEVICE int64_t at(const int64_t (&stride)[2]) const {
    return batch * stride[0] + row * stride[1];
  }
  // (1 - e) w_y.
  FOVEA_DEVICE float own_share(const CrossEntropyParams& p) const {
    const float share = 1 - p.smoothing;
    return p.class_weight == nullptr ? share : share * tile::load_global(p.class_weight + target);
  }
};

FOVEA_DEVICE bool sums_weights(const CrossEntropyParams& p) {
  return p.class_weight != nullptr && p.smoothing > 0;
}
// e / V times what all classes weigh.
FOVEA_DEVICE float shares_of_classes(const CrossEntropyParams& p) {
  return sums_weights(p) ? p.smoothing / float(p.classes) * tile::load_global(p.weights)
                         : p.smoothing;
}

}  // namespace fovea::cross_entropy::cuda
