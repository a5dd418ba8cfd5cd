// The online softmax (Milakov and Gimelshein, arXiv 1805.02867) over scores in shared memory: kRowShare
// neighbouring threads have a row, each some pairs of keys of a tile.
#pragma once

#include "cuda/pairs/load.cuh"
#include "cuda/pairs/params.h"
#include "cuda/softmax/dropout.cuh"

namespace fovea::pairs::cuda {

template <typename Scores>
class RowSoftmax {
 public:
  using Tile = typename Scores::Tile;
  static constexpr int kShare = Tile::kRowShare, kPairs = kKeys / 2 / kShare;

  const int32_t row = int32_t(tile::thread_index() / kShare);
  float reference = -tile::kInfinity;  // the largest score
  float sum = 0;                       // of this thread's keys, until finish()

  FOVEA_DEVICE explicit RowSoftmax(const Scores& scores) : scores_(scores) {
    const AttentionRows& rows = scores.rows;
    if (row < rows.count) {
      low_ = rows.low(scores.p, rows.position(row));
      high_ = rows.high(scores.p, rows.position(row));
    }
  }

  // The scores of the tile that begins at first_key as powers of two above the reference, which moves to
  // their largest; what sums so far are to be multiplied by.
  FOVEA_DEVICE float step(int32_t first_key, float (&x)[2 * kPairs]) {
    load(first_key, x);
    float highest = reference;
    FOVEA_UNROLL
    for (int i = 0; i < 2 * kPairs; ++i) highest = tile::maximum(highest, x[i]);
    FOVEA_UNROLL
    for (uint32_t mask = kShare / 2; mask > 0; mask /= 2) {
      highest = tile::maximum(highest, tile::shuffle_xor(highest, mask));
    }
    // Equal infinities do not differ.
    const float decay = highest == reference ? 1.0f : tile::exp2_approx(reference - highest);
    reference = highest;
    sum *= decay;
    FOVEA_UNROLL
    for (int i = 0; i < 2 * kPairs; ++i) {
      x[i] = weight(x[i]);
      sum += x[i];
    }
    return decay;
  }

  FOVEA_DEVICE void finish() {
    FOVEA_UNROLL
    for (uint32_t mask = kShare / 2; mask > 0; mask /= 2) sum += tile::shuffle_xor(sum, mask);
  }

  FOVEA_DEVICE bool sees(int32_t key) const { return key >= low_ && key < high_; }

  // Nothing is seen, or nothing that weighs; not where a score was NaN.
  FOVEA_DEVICE bool is_dead() const { return sum == 0; }

  // Scores of the row, those that it does not see -infinity.
  FOVEA_DEVICE void load(int32_t first_key, float (&x)[2 * kPairs]) const {
    FOVEA_UNROLL
    for (int n = 0; n < kPairs; ++n) {
      uint32_t pair[2];
      tile::load_shared_pair(scores_.score(row, column(n)), pair[0], pair[1]);
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        const int32_t key = first_key + column(n) + h;
        x[2 * n + h] = sees(key) ? tile::as_float(pair[h]) : -tile::kInfinity;
      }
    }
  }

  // Of a score, relative to the reference: that of a masked one is zero where the row has none.
  FOVEA_DEVICE float weight(float x) const {
    return x == -tile::kInfinity ? 0.0f : tile::exp2_approx(x - reference);
  }

  // Weights to shared memory in place of the scores, without those that dropout drops.
  FOVEA_DEVICE void store(int32_t first_key, float (&x)[2 * kPairs]) const {
    const auto& p = scores_.p;
    if (p.dropout_threshold != 0) {
      // A thread's pairs n, n + kDraws and so on are of one draw.
      constexpr int kDraws = kShare < 4 ? 4 / kShare : 1;
      FOVEA_UNROLL
      for (int d = 0; d < kDraws; ++d) {
        const Draws draws(p, scores_.rows, uint32_t(row), first_key, uint32_t(column(d) / 2 % 4));
        FOVEA_UNROLL
        for (int n = d; n < kPairs; n += kDraws) {
          FOVEA_UNROLL
          for (int word = 0; word < 4; ++word) {
            if (column(n) / 8 != word) continue;
            FOVEA_UNROLL
            for (int h = 0; h < 2; ++h) {
              if (draws.draw(word, h) < p.dropout_threshold) x[2 * n + h] = 0;
            }
          }
        }
      }
    }
    put(x);
  }

  // To shared memory in place of the scores.
  FOVEA_DEVICE void put(const float (&x)[2 * kPairs]) const {
    FOVEA_UNROLL
    for (int n = 0; n < kPairs; ++n) {
      tile::store_shared_pair(scores_.score(row, column(n)), tile::as_bits(x[2 * n]),
                              tile::as_bits(x[2 * n + 1]));
    }
  }

  // The first key of a thread's n-th pair.
  FOVEA_DEVICE int32_t column(int n) const {
    return 2 * (int32_t(tile::thread_index() % kShare) + kShare * n);
  }

 private:
  const Scores& scores_;
  int32_t low_ = 0, high_ = 0;
};

}  // namespace fovea::pairs::cuda
