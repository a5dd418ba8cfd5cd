// dkey and dvalue: a block for a tile of keys and a chunk of both, over all the rows that see it.

#include "cuda/pairs/backward_keys.cuh"

#include "cuda/additive/gradients.cuh"

namespace fovea::additive::cuda {
namespace {

class Keys {
 public:
  FOVEA_DEVICE void start(BackwardScores& scores, int32_t first_key, int32_t chunk,
                          float (&dkey)[kKeysEach][4]) const {
    if (!scores.has_apart()) return;
    add_apart(scores, first_key, chunk, dkey);
    tile::sync_block();
    scores.each_apart(first_key, [&](int32_t row, int32_t at) {
      store_float(scores.score(row, at), 0.0f);
    });
    tile::sync_block();
  }

  FOVEA_DEVICE void add(const BackwardScores& scores, int32_t row, const float (&ds)[kKeysEach],
                        float (&dkey)[kKeysEach][4]) const {
    float q[4], w[4];
    load_floats(scores.query(row, 4 * lane()), q);
    load_floats(scores.weight(row, 4 * lane()), w);
    const float factor = 4 * scores.up(row);
    FOVEA_UNROLL
    for (int e = 0; e < 4; ++e) w[e] *= factor;
    FOVEA_UNROLL
    for (int k = 0; k < kKeysEach; ++k) {
      float key[4];
      load_floats(scores.key(first_key_of_thread() + k, 4 * lane()), key);
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        const Slope slope(q[e], key[e]);
        dkey[k][e] =
            tile::fused_multiply_add(slope.power_r, slope.r * (ds[k] * w[e]), dkey[k][e]);
      }
    }
  }

 private:
  // Pairs that are no products of factors.
  FOVEA_DEVICE void add_apart(const BackwardScores& scores, int32_t first_key, int32_t chunk,
                              float (&dkey)[kKeysEach][4]) const {
    const AdditiveParams& p = scores.p;
    const int32_t first = first_key_of_thread();
    FOVEA_NO_UNROLL
    for (int32_t row = 0; row < scores.rows.count; ++row) {
      if (scores.is_dead(row)) continue;
      FOVEA_NO_UNROLL
      for (int32_t at = first; at < first + kKeysEach; ++at) {
        const int32_t key = first_key + at;
        if (key >= scores.rows.key_length || !scores.is_apart(row, at)) continue;
        const float ds = load_float(scores.score(row, at));
        if (ds == 0) continue;  // as are those of keys that the row does not see
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) {
          const int32_t a = chunk * kChunk + 4 * lane() + e;
          if (a >= p.head_dim) continue;
          const float t = scores.tanh_of(row, key, a);
          const float du = scores.given_weight(row, a) * (ds * (1 - t * t));
          FOVEA_UNROLL
          for (int k = 0; k < kKeysEach; ++k) {
            if (first + k == at) dkey[k][e] += du;
          }
        }
      }
    }
  }
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void additive_backward_keys(const BackwardParams b) { run_keys<BackwardScores, Keys>(b); }

}  // namespace

BackwardKernel* backward_keys_kernel() { return additive_backward_keys; }

}  // namespace fovea::additive::cuda
