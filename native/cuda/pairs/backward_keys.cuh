// dkey and dvalue: a block for a tile of keys and a chunk of both, over all the rows that see it.
#pragma once

#include "cuda/pairs/backward_tile.cuh"

namespace fovea::pairs::cuda {

// A warp has eight keys, a thread four elements of the chunk of each.
constexpr int kKeysEach = kKeys / kWarps;

// The first of them in the tile.
FOVEA_DEVICE int32_t first_key_of_thread() { return warp() * kKeysEach; }

// What a thread has of the gradients of a tile's keys. `Keys` is what an operation makes of score gradients:
//   start(scores, first_key, chunk, dkey)   before the rows of a tile, which `scores` has; barriers stand
//                                           before and behind
//   add(scores, row, ds, dkey)              of a row, given those of the thread's keys
template <typename Scores, typename Keys>
class KeyGradients {
 public:
  FOVEA_DEVICE KeyGradients(Scores& scores, int32_t first_key, int32_t chunk)
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
    if (has_dkey) keys_.start(scores_, first_key_, chunk_, dkey_);
    FOVEA_NO_UNROLL
    for (int32_t row = 0; row < scores_.rows.count; ++row) {
      if (scores_.is_dead(row)) continue;
      if (has_dkey) {
        float ds[kKeysEach];
        load_keys_of(scores_.score(row, first()), ds);
        keys_.add(scores_, row, ds, dkey_);
      }
      if (has_dvalue) add_dvalue(row);
    }
  }

  // Of all keys that the tensors have, zeros of those behind the sequence's.
  FOVEA_DEVICE void store() const {
    const AttentionRows& rows = scores_.rows;
    const auto& b = scores_.b;
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
  static FOVEA_DEVICE int32_t first() { return first_key_of_thread(); }

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

  Scores& scores_;
  const typename Scores::Params& p_;
  Keys keys_;
  const int32_t first_key_, chunk_, element_;
  float dkey_[kKeysEach][4] = {}, dvalue_[kKeysEach][4] = {};
};

// `Scores` are GradientScores.
template <typename Scores, typename Keys, typename Params>
FOVEA_DEVICE void run_keys(const Params& b) {
  const auto& p = b.forward;
  const AttentionItem at = locate_item(p);
  const int32_t tile = int32_t(at.tile) / b.chunks, chunk = int32_t(at.tile) % b.chunks;
  const int32_t first_key = tile * kKeys;
  Scores scores(b, locate_pair(p, at.batch, at.key_head));
  KeyGradients<Scores, Keys> gradients(scores, first_key, chunk);
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
    scores.template compute_gradients<true>(first_key);
    scores.keeps_keys = p.head_dim <= BackwardTile::kPart;
    scores.keeps_values = p.value_head_dim <= BackwardTile::kPart;
    gradients.add();
  }
  gradients.store();
}

}  // namespace fovea::pairs::cuda
