// dkey and dvalue: a block for a tile of keys and a chunk of both, over all the rows that see it.

#include "cuda/pairs/backward_keys.cuh"

#include "cuda/distance/gradients.cuh"

namespace fovea::distance::cuda {
namespace {

class Keys {
 public:
  FOVEA_DEVICE void start(const BackwardScores& scores, int32_t, int32_t, float (&)[kKeysEach][4]) {
    FOVEA_UNROLL
    for (int k = 0; k < kKeysEach; ++k) {
      load_floats(scores.key(first_key_of_thread() + k, 4 * lane()), keys_[k]);
    }
  }

  FOVEA_DEVICE void add(const BackwardScores& scores, int32_t row, const float (&ds)[kKeysEach],
                        float (&dkey)[kKeysEach][4]) const {
    float q[4];
    load_floats(scores.query(row, 4 * lane()), q);
    const float inverse = scores.inverse(row);
    FOVEA_UNROLL
    for (int k = 0; k < kKeysEach; ++k) {
      const float factor = ds[k] * inverse;
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        dkey[k][e] = tile::fused_multiply_add(factor, q[e] - keys_[k][e], dkey[k][e]);
      }
    }
  }

 private:
  float keys_[kKeysEach][4];
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void distance_backward_keys(const BackwardParams b) { run_keys<BackwardScores, Keys>(b); }

}  // namespace

BackwardKernel* backward_keys_kernel() { return distance_backward_keys; }

}  // namespace fovea::distance::cuda
