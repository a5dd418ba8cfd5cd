// What a layer multiplies, on its way through shared memory.
#pragma once

#include "cuda/channel/params.h"
#include "cuda/image/steps.cuh"

namespace fovea::channel::cuda {

// Where element `index` of a part is for one of a block's images.
FOVEA_DEVICE uint32_t vector_address(int image, int32_t index) {
  return tile::shared_base() + 4 * uint32_t(image * kLayerPart + index);
}

// Calls take(begin, count) for parts [begin, begin + count) of vectors of `size` elements, of which
// load(image, index) is one, of up to kLayerImages images from `image` on; those of images that are
// not there are zero.
template <typename Load, typename Take>
FOVEA_DEVICE void each_part(int64_t image, int64_t images, int32_t size, Load load, Take take) {
  FOVEA_NO_UNROLL
  for (int32_t begin = 0; begin < size; begin += kLayerPart) {
    const int32_t count = size - begin < kLayerPart ? size - begin : kLayerPart;
    if (begin > 0) tile::sync_block();
    FOVEA_NO_UNROLL
    for (auto c = int32_t(tile::thread_index()); c < count; c += kThreads) {
      FOVEA_UNROLL
      for (int i = 0; i < kLayerImages; ++i) {
        store_float(vector_address(i, c), image + i < images ? load(image + i, begin + c) : 0.0f);
      }
    }
    tile::sync_block();
    take(begin, count);
  }
}

}  // namespace fovea::channel::cuda
