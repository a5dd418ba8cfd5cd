// What happens to a score between the two products: masks, and the features of the general kernel.
// Element e of piece j of a thread's sums is key 8 j + 2 (lane % 4) + e % 2 of the tile, in row
// lane / 4 + 8 (e / 2) of the piece.
#pragma once

#include "core/philox.h"
#include "cuda/attention/rows.cuh"
#include "tile/convert.cuh"
#include "tile/softmax.cuh"

namespace fovea::attention::cuda {

// The rows of a thread: 16 i + 8 h + lane / 4 after the first of its warp, `warp_row`.
struct ThreadRows {
  uint32_t first;  // row of the block

  FOVEA_DEVICE explicit ThreadRows(uint32_t warp_row)
      : first(warp_row + tile::thread_index() % tile::kWarp / 4) {}
  FOVEA_DEVICE uint32_t row(int i, int h) const { return first + 16 * i + 8 * h; }

  // The same for one round of a loop. Positions, heads and offsets of up to four rows would take
  // twenty registers through the products, which have none to spare.
  FOVEA_DEVICE ThreadRows anew() const { return ThreadRows(*this, tile::opaque(first)); }

 private:
  FOVEA_DEVICE ThreadRows(const ThreadRows&, uint32_t row) : first(row) {}
};

// Key of the tile that element e of piece j stands for.
FOVEA_DEVICE int32_t key_column(int j, int e) {
  return 8 * j + int32_t(tile::thread_index() % 4 * 2) + e % 2;
}

// s = -infinity where row or mask does not let the key be seen. Keys begin at `first_key`.
template <int kM, int kColumns>
FOVEA_DEVICE void mask_scores(float (&s)[kM][kColumns][4], const AttentionParams& p,
                              const AttentionRows& rows, const ThreadRows& mine,
                              int32_t first_key) {
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const int32_t position = rows.position(mine.row(i, h));
      // Relative to the tile, so that an element compares with a constant.
      const int32_t origin = first_key + key_column(0, 0);
      const int32_t high = rows.high(p, position) - origin;
      FOVEA_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        FOVEA_UNROLL
        for (int e = 2 * h; e < 2 * h + 2; ++e) {
          if (8 * j + e % 2 >= high) s[i][j][e] = -tile::kInfinity;
        }
      }
      if (!p.has_window_left) continue;
      const int32_t low = rows.low(p, position) - origin;
      FOVEA_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        FOVEA_UNROLL
        for (int e = 2 * h; e < 2 * h + 2; ++e) {
          if (8 * j + e % 2 < low) s[i][j][e] = -tile::kInfinity;
        }
      }
    }
  }
}

// Applies change(score, key of the tile) to the scores of one row of a thread.
template <int kM, int kColumns, typename Change>
FOVEA_DEVICE void change_row(float (&s)[kM][kColumns][4], int i, int h, Change change) {
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    FOVEA_UNROLL
    for (int e = 2 * h; e < 2 * h + 2; ++e) s[i][j][e] = change(s[i][j][e], key_column(j, e));
  }
}

// Applies change(score) to all scores of a thread.
template <int kM, int kColumns, typename Change>
FOVEA_DEVICE void change_scores(float (&s)[kM][kColumns][4], Change change) {
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) s[i][j][e] = change(s[i][j][e]);
    }
  }
}

FOVEA_DEVICE float load_slope(const AttentionParams& p, int32_t batch, int32_t head) {
  return tile::load_global(p.alibi_slopes + batch * p.alibi_stride[0] + head * p.alibi_stride[1]);
}

// What ALiBi multiplies the slope by, from the key's position minus the query's.
FOVEA_DEVICE float alibi_distance(const AttentionParams& p, int32_t difference) {
  const float distance = float(difference);
  return p.causal || distance < 0 ? distance : -distance;
}

template <typename Bias, int kM, int kColumns>
FOVEA_DEVICE void add_bias(float (&s)[kM][kColumns][4], const AttentionParams& p,
                           const AttentionRows& rows, const ThreadRows& mine, int32_t first_key) {
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint32_t row = mine.row(i, h);
      if (int32_t(row) >= rows.count) continue;
      const int32_t keys = rows.key_length - first_key;
      const Bias* const bias = static_cast<const Bias*>(p.bias) + first_key +
                               rows.score_offset(p.bias_stride, rows.position(row), rows.head(row));
      change_row(s, i, h, [&](float x, int32_t key) {
        return key < keys ? x + tile::widen(tile::load_global(bias + key)) : x;
      });
    }
  }
}

// Bias and ALiBi. One pass for each: the compiler then holds one feature's addresses and slopes at a
// time, and the kernel does not spill.
template <int kM, int kColumns>
FOVEA_DEVICE void bias_scores(float (&s)[kM][kColumns][4], const AttentionParams& p,
                              uint32_t shared_rows, const ThreadRows& mine, int32_t first_key) {
  if (p.bias_dtype == FOVEA_FLOAT32) {
    add_bias<float>(s, p, load_rows(shared_rows), mine.anew(), first_key);
  } else if (p.bias_dtype == FOVEA_FLOAT16) {
    add_bias<float16>(s, p, load_rows(shared_rows), mine.anew(), first_key);
  } else if (p.bias_dtype == FOVEA_BFLOAT16) {
    add_bias<bfloat16>(s, p, load_rows(shared_rows), mine.anew(), first_key);
  }
  if (p.alibi_slopes != nullptr) {
    const AttentionRows rows = load_rows(shared_rows);
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        const uint32_t row = mine.row(i, h);
        if (int32_t(row) >= rows.count) continue;
        const float slope = load_slope(p, rows.batch, rows.head(row));
        const int32_t origin = first_key - rows.position(row) - rows.shift(p);
        change_row(s, i, h, [&](float x, int32_t key) {
          return tile::fused_multiply_add(slope, alibi_distance(p, origin + key), x);
        });
      }
    }
  }
}

template <int kM, int kColumns>
FOVEA_DEVICE void cap_scores(float (&s)[kM][kColumns][4], float softcap) {
  change_scores(s, [&](float x) { return softcap * tile::tanh_accurate(x / softcap); });
}

// x = scale * x, then softcap, bias and ALiBi, in that order.
template <int kM, int kColumns>
FOVEA_DEVICE void transform_scores(float (&s)[kM][kColumns][4], const AttentionParams& p,
                                   uint32_t shared_rows, const ThreadRows& mine,
                                   int32_t first_key) {
  change_scores(s, [&](float x) { return x * p.scale; });
  if (p.softcap != 0) cap_scores(s, p.softcap);
  bias_scores(s, p, shared_rows, mine, first_key);
}

// Zeroes the weights that dropout drops. One draw of Philox serves the eight keys that a thread holds
// of 32, see fovea_run_attention.
template <int kM, int kColumns>
FOVEA_DEVICE void drop_weights(float (&s)[kM][kColumns][4], const AttentionParams& p,
                               const AttentionRows& rows, const ThreadRows& mine,
                               int32_t first_key) {
  constexpr int kDraws = kColumns < 4 ? kColumns : 4;  // pieces of 8 keys that share a draw
  const uint32_t lane = tile::thread_index() % 4;
  const uint32_t word = uint32_t(first_key) / 8 % 4;  // not 0 only where a tile has 16 keys
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      const uint32_t row = mine.row(i, h);
      const uint32_t head = uint32_t(rows.batch) * p.query_heads + rows.head(row);
      FOVEA_UNROLL
      for (int j = 0; j < kColumns; j += kDraws) {
        uint32_t draw[4][1] = {{(uint32_t(first_key) + 8 * j) / 32 * 4 + lane},
                               {uint32_t(rows.position(row))},
                               {head},
                               {p.dropout_offset}};
        philox4x32_10(draw, p.dropout_seed);
        FOVEA_UNROLL
        for (int d = 0; d < kDraws; ++d) {
          const uint32_t bits = kDraws == 4 || word == 0 ? draw[d][0] : draw[d + 4 - kDraws][0];
          if ((bits & 0xffff) < p.dropout_threshold) s[i][j + d][2 * h] = 0;
          if ((bits >> 16) < p.dropout_threshold) s[i][j + d][2 * h + 1] = 0;
        }
      }
    }
  }
}

}  // namespace fovea::attention::cuda
