// dkey and dvalue: a block for a tile of keys and a chunk of both, over all the rows that see it.

#include "cuda/additive/backward_tile.cuh"

namespace fovea::additive::cuda {
namespace {

// A warp has eight keys, a thread four elements of the chunk of each.
constexpr int kKeysEach = kKeys / kWarps;

class KeyGradients {
 public:
  FOVEA_DEVICE KeyGradients(BackwardScores& scores, int32_t first_key, int32_t chunk)
      : scores_(scores),
        p_(scores.p),
        first_key_(first_key),
        chunk_(chunk),
        element_(4 * lane()) {}

  // Of the rows that `scores` has.
  FOVEA_DEVICE void add() {
    const bool has_dkey = chunk_ * kChunk < p_.head_dim;
    const bool has_dvalue = chunk_ * kChunk < p_.value_head_dim;
    if (has_dkey) scores_.load_chunk(first_key_, chunk_);
    // The last part of dout is in shared memory.
    if (has_dvalue && p_.value_head_dim > BackwardTile::kPart) {
      scores_.load_dout(chunk_ * kChunk);
      scores_.keeps_dout = false;
    }
    tile::sync_block();
    if (has_dkey && scores_.has_apart()) {
      add_apart();
      tile::sync_block();
      scores_.each_apart(first_key_, [&](int32_t row, int32_t at) {
        store_float(scores_.score(row, at), 0.0f);
      });
      tile::sync_block();
    }
    FOVEA_NO_UNROLL
    for (int32_t row = 0; row < scores_.rows.count; ++row) {
      if (scores_.is_dead(row)) continue;
      if (has_dkey) add_dkey(row);
      if (has_dvalue) add_dvalue(row);
    }
  }

  // Of all keys that the tensors have, zeros of those behind the sequence's.
  FOVEA_DEVICE void store() const {
    const AttentionRows& rows = scores_.rows;
    const BackwardParams& b = scores_.b;
    const int32_t all = key_rows(p_, rows.batch), at = chunk_ * kChunk + element_;
    FOVEA_UNROLL
    for (int k = 0; k < kKeysEach; ++k) {
      const int32_t key = first_key_ + first() + k;
      if (key >= all) continue;
      // Not their sums, which are NaN if a weight, a query or dout was: 0 * NaN.
      float dkey[4] = {}, dvalue[4] = {};
      if (key < rows.key_length) {
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) {
          dkey[e] = dkey_[k][e];
          dvalue[e] = dvalue_[k][e];
        }
      }
      store_gradients(b.dkey, p_.spec.gradient_dtype,
                      rows.key_offset(p_.spec.dkey_stride) + key * p_.spec.dkey_stride[1] + at,
                      p_.head_dim - at, p_.spec.accumulate, dkey);
      store_gradients(b.dvalue, p_.spec.gradient_dtype,
                      rows.key_offset(p_.spec.dvalue_stride) + key * p_.spec.dvalue_stride[1] + at,
                      p_.value_head_dim - at, p_.spec.accumulate, dvalue);
    }
  }

 private:
  static FOVEA_DEVICE int32_t first() { return warp() * kKeysEach; }

  // Of the thread's keys.
  static FOVEA_DEVICE void load_keys_of(uint32_t address, float (&x)[kKeysEach]) {
    float quad[4];
    FOVEA_UNROLL
    for (int i = 0; i < kKeysEach; i += 4) {
      load_floats(address + 4 * i, quad);
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) x[i + e] = quad[e];
    }
  }

  FOVEA_DEVICE void add_dkey(int32_t row) {
    float ds[kKeysEach], q[4], w[4];
    load_keys_of(scores_.score(row, first()), ds);
    load_floats(scores_.query(row, element_), q);
    load_floats(scores_.weight(row, element_), w);
    const float factor = 4 * scores_.up(row);
    FOVEA_UNROLL
    for (int e = 0; e < 4; ++e) w[e] *= factor;
    FOVEA_UNROLL
    for (int k = 0; k < kKeysEach; ++k) {
      float key[4];
      load_floats(scores_.key(first() + k, element_), key);
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        const Slope slope(q[e], key[e]);
        dkey_[k][e] = tile::fused_multiply_add(slope.power_r, slope.r * (ds[k] * w[e]), dkey_[k][e]);
      }
    }
  }

  FOVEA_DEVICE void add_dvalue(int32_t row) {
    float weights[kKeysEach], dout[4];
    load_keys_of(scores_.dropped(row, first()), weights);
    load_floats(scores_.dout(row, element_), dout);
    FOVEA_UNROLL
    for (int k = 0; k < kKeysEach; ++k) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        dvalue_[k][e] = tile::fused_multiply_add(weights[k], dout[e], dvalue_[k][e]);
      }
    }
  }

  // Pairs that are no products of factors.
  FOVEA_DEVICE void add_apart() {
    FOVEA_NO_UNROLL
    for (int32_t row = 0; row < scores_.rows.count; ++row) {
      if (scores_.is_dead(row)) continue;
      FOVEA_NO_UNROLL
      for (int32_t at = first(); at < first() + kKeysEach; ++at) {
        const int32_t key = first_key_ + at;
        if (key >= scores_.rows.key_length || !scores_.is_apart(row, at)) continue;
        const float ds = load_float(scores_.score(row, at));
        if (ds == 0) continue;  // as are those of keys that the row does not see
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) {
          const int32_t a = chunk_ * kChunk + element_ + e;
          if (a >= p_.head_dim) continue;
          const float t = scores_.tanh_of(row, key, a);
          const float du = scores_.given_weight(row, a) * (ds * (1 - t * t));
          FOVEA_UNROLL
          for (int k = 0; k < kKeysEach; ++k) {
            if (first() + k == at) dkey_[k][e] += du;
          }
        }
      }
    }
  }

  BackwardScores& scores_;
  const AdditiveParams& p_;
  const int32_t first_key_, chunk_, element_;
  float dkey_[kKeysEach][4] = {}, dvalue_[kKeysEach][4] = {};
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void additive_backward_keys(const BackwardParams b) {
  const AdditiveParams& p = b.forward;
  const AttentionItem at = locate_item(p);
  const int32_t tile = int32_t(at.tile) / b.chunks, chunk = int32_t(at.tile) % b.chunks;
  const int32_t first_key = tile * kKeys;
  BackwardScores scores(b, locate_pair(p, at.batch, at.key_head));
  KeyGradients gradients(scores, first_key, chunk);
  AttentionRows& rows = scores.rows;
  for (int32_t row_tile = 0; row_tile < b.row_tiles; ++row_tile) {
    set_rows(rows, uint32_t(row_tile), BackwardTile::kRows);
    if (rows.count <= 0) break;
    // Both ends of what a row sees rise with its position.
    if (rows.high(p, rows.position(rows.count - 1)) <= first_key ||
        rows.low(p, rows.position(0)) >= first_key + kKeys) {
      continue;
    }
    tile::sync_block();
    scores.load_heads();
    scores.load_rows_of_workspace();
    scores.compute_gradients<true>(first_key);
    scores.keeps_keys = p.head_dim <= BackwardTile::kPart;
    scores.keeps_values = p.value_head_dim <= BackwardTile::kPart;
    gradients.add();
  }
  gradients.store();
}

}  // namespace

BackwardKernel* backward_keys_kernel() { return additive_backward_keys; }

}  // namespace fovea::additive::cuda
