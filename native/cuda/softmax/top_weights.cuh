// The largest weights of a row and the keys that have them, in falling order, kept where the caller gets
// them. One thread has a row; keys come in any order.
#pragma once

#include "cuda/softmax/rows.cuh"

namespace fovea::cuda {

class TopWeights {
 public:
  template <typename Params>
  FOVEA_DEVICE TopWeights(const Params& p, const AttentionRows& rows, uint32_t row)
      : weights_(p.top_weights + rows.score_offset(p.spec.top_weights_stride, rows.position(row),
                                                   rows.head(row))),
        keys_(p.top_keys +
              rows.score_offset(p.spec.top_keys_stride, rows.position(row), rows.head(row))),
        last_(int32_t(p.spec.top_count) - 1) {}

  FOVEA_DEVICE void clear() const {
    FOVEA_NO_UNROLL
    for (int32_t at = 0; at <= last_; ++at) put(at, 0.0f, -1);
  }

  FOVEA_DEVICE void add(float weight, int32_t key) const {
    if (!precedes(weight, key, last_)) return;
    int32_t at = last_;
    FOVEA_NO_UNROLL
    for (; at > 0 && precedes(weight, key, at - 1); --at) {
      put(at, tile::load_global(weights_ + at - 1), tile::load_global(keys_ + at - 1));
    }
    put(at, weight, key);
  }

 private:
  // NaN is above all else; of equal weights that of the lower key comes first, and a weight of 0 is not
  // above those with key -1 that nothing has replaced.
  FOVEA_DEVICE bool precedes(float weight, int32_t key, int32_t at) const {
    const float listed = tile::load_global(weights_ + at);
    if (weight < listed || (weight == weight && listed != listed)) return false;
    if (weight > listed || (weight != weight && listed == listed)) return true;
    return key < tile::load_global(keys_ + at);
  }
  FOVEA_DEVICE void put(int32_t at, float weight, int32_t key) const {
    tile::store_global(weights_ + at, weight);
    tile::store_global(keys_ + at, key);
  }

  float* weights_;
  int32_t* keys_;
  int32_t last_;
};

}  // namespace fovea::cuda
