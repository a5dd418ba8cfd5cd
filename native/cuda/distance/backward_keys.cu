// dkey and dvalue: a block for a tile of keys and a chunk of both, over all the rows that see it.

#include "cuda/pairs/backward_keys.cuh"

#include "cuda/distance/gradients.cuh"

namespace fovea::distance::cuda {
namespace {

class Keys {
 public:
  template <typename Scores>
  FOVEA_DEVICE void start(const Scores& scores, int32_t, int32_t, float (&)[kKeysEach][4]) {
    FOVEA_UNROLL
    for (int k = 0; k < kKeysEach; ++k) {
      load_floats(scores.key(first_key_of_thread() + k, 4 * lane()), keys_[k]);
    }
  }

  template <typename Scores>
  FOVEA_DEVICE void add(const Scores& scores, int32_t row, const float (&ds)[kKeysEach],
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
    if constexpr (Scores::kFits) add_plane(scores, row, dkey);
  }

 private:
  // What a key is to the plane of a row.
  static FOVEA_DEVICE void add_plane(const BackwardFitScores& scores, int32_t row,
                                     float (&dkey)[kKeysEach][4]) {
    const FitRow of = scores.fit_row();
    const int32_t a = 4 * lane();
    if (a >= of.dim) return;
    const double* const fit = scores.fit(row) + a;
    const int places[] = {of.slope(), of.tilt()};
    FOVEA_UNROLL
    for (int which = 0; which < 2; ++which) {
      float vector[4] = {};
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        if (a + e < of.dim) vector[e] = within_float(tile::load_global(fit + places[which] + e));
      }
      FOVEA_UNROLL
      for (int k = 0; k < kKeysEach; ++k) {
        const float weight =
            load_float(scores.plane_weight(which, row, first_key_of_thread() + k));
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) {
          dkey[k][e] = tile::fused_multiply_add(-weight, vector[e], dkey[k][e]);
        }
      }
    }
  }

  float keys_[kKeysEach][4];
};

template <typename Scores>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void distance_backward_keys(const BackwardParams b) {
  run_keys<Scores, Keys>(b);
}

}  // namespace

BackwardKernel* backward_keys_kernel(bool fits) {
  return fits ? distance_backward_keys<BackwardFitScores> : distance_backward_keys<BackwardScores>;
}

}  // namespace fovea::distance::cuda
