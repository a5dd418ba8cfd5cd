// A tile of the backward pass: weights and score gradients of 32 query rows and 32 keys.
#pragma once

#include "cuda/pairs/load.cuh"
#include "cuda/pairs/params.h"
#include "cuda/pairs/tile_scores.cuh"
#include "cuda/softmax/dropout.cuh"

namespace fovea::pairs::cuda {

// `Scores`, as run_forward takes them, of a BackwardTile, with load_queries, load_keys and keeps_keys; and
// `Params` of a backward, with RowStatistics. With kFits also
//   widen_keys()                                   behind compute(), before a barrier
//   planes()                                       what planes are at the thread's pairs, behind it
//   refit(planes, r, c, P, factor, dP, kept, dS)   makes other weights and dS of these, `factor` being that of
//                                                  dropout, and of planes what multiplies them in dkey
//   put_planes(planes, r, c, P)                    takes that
template <typename Scores, typename Params>
class GradientScores : public Scores {
 public:
  using Tile = BackwardTile;
  using Scores::compute, Scores::key_of, Scores::keeps_keys, Scores::keeps_queries,
      Scores::load_keys, Scores::load_queries, Scores::p, Scores::row_of, Scores::rows,
      Scores::score, Scores::shared, Scores::word;

  FOVEA_DEVICE GradientScores(const Params& params, const AttentionRows& of)
      : Scores(params.forward, of, Tile::kHeadsAt), b(params) {}

  const Params& b;
  // As Scores::keeps_queries, of rows of dout and of values.
  bool keeps_dout = false, keeps_values = false;

  FOVEA_DEVICE uint32_t dout(int32_t row, int32_t d) const {
    return shared() + Tile::kDoutAt + 4 * (row * Tile::kPitch + d);
  }
  FOVEA_DEVICE uint32_t value(int32_t key, int32_t d) const {
    return shared() + Tile::kValuesAt + 4 * (key * Tile::kPitch + d);
  }
  // Weights without those that dropout drops, the others scaled as it does.
  FOVEA_DEVICE uint32_t dropped(int32_t row, int32_t key) const {
    return shared() + Tile::kDroppedAt + 4 * (row * Tile::kScorePitch + key);
  }
  // Of a row that sees no key, whose gradients are zero whatever its dout.
  FOVEA_DEVICE bool is_dead(int32_t row) const {
    return load_float(word(Tile::kBase, row)) == tile::kInfinity;
  }

  // What is known of the rows; a barrier stands before and behind.
  FOVEA_DEVICE void load_rows_of_workspace() {
    const int32_t row = int32_t(tile::thread_index());
    if (row < rows.count) {
      const int64_t at = workspace_row(p, rows, row);
      store_float(word(Tile::kBase, row), tile::load_global(b.base + at));
      store_float(word(Tile::kRest, row), tile::load_global(b.rest + at));
      store_float(word(Tile::kDelta, row), tile::load_global(b.delta + at));
    } else if (row < Tile::kRows) {
      store_float(word(Tile::kBase, row), tile::kInfinity);
    }
    keeps_dout = false;
  }

  FOVEA_DEVICE void load_dout(int32_t begin) const {
    tile::with_type(p.spec.out_dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      load_rows_of_warp<Element, Tile::kRows, Tile::kPart>(
          begin, p.value_head_dim,
          [&](int32_t row) {
            return row < rows.count ? static_cast<const Element*>(b.dout) +
                                          rows.offset(p.spec.dout_stride, rows.position(row),
                                                      rows.head(row))
                                    : nullptr;
          },
          [&](int32_t row, const auto& x) { store_part(x, dout(row, 0)); });
    });
  }

  FOVEA_DEVICE void load_values(int32_t first_key, int32_t begin) const {
    tile::with_type(p.spec.dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      const Element* const values =
          static_cast<const Element*>(p.value) + rows.key_offset(p.spec.value_stride);
      const int32_t count = rows.key_length - first_key;
      load_rows_of_warp<Element, kKeys, Tile::kPart>(
          begin, p.value_head_dim,
          [&](int32_t at) {
            return at < count ? values + (first_key + at) * p.spec.value_stride[1] : nullptr;
          },
          [&](int32_t at, const auto& x) { store_part(x, value(at, 0)); });
    });
  }

  // Score gradients in place of the scores and, if `kWeights`, weights in dropped(); zeros where a row
  // does not see a key. A barrier stands behind. Calls take(r, score, gradient) for the pairs of this
  // thread's r-th row that see each other.
  template <bool kWeights>
  FOVEA_DEVICE void compute_gradients(int32_t first_key) {
    compute_gradients<kWeights>(first_key, [](int, float, float) {});
  }
  template <bool kWeights, typename Take>
  FOVEA_DEVICE void compute_gradients(int32_t first_key, Take take) {
    float dp[Tile::kRowsEach][Tile::kKeysEach] = {};
    compute_products(first_key, dp);
    [[maybe_unused]] typename Scores::Planes planes;
    if constexpr (Scores::kFits) planes = this->planes();
    FOVEA_UNROLL
    for (int r = 0; r < Tile::kRowsEach; ++r) {
      const int32_t row = row_of(r);
      const float base = load_float(word(Tile::kBase, row));
      int32_t low = 0, high = 0;
      float rest = 0, delta = 0;
      if (base != tile::kInfinity) {
        rest = load_float(word(Tile::kRest, row));
        delta = load_float(word(Tile::kDelta, row));
        low = rows.low(p, rows.position(row));
        high = rows.high(p, rows.position(row));
      }
      const uint32_t dropped_keys = low < high ? draw_dropped(row, first_key) : 0;
      FOVEA_UNROLL
      for (int c = 0; c < Tile::kKeysEach; ++c) {
        const int32_t at = key_of(c), key = first_key + at;
        float weight = 0, kept = 0, ds = 0;
        if (key >= low && key < high) {
          const float x = load_float(score(row, at));
          weight = tile::exp2_approx((x - base) - rest);
          const float factor = (dropped_keys >> c & 1) != 0 ? 0.0f : p.dropout_scale;
          kept = weight * factor;
          ds = weight * (factor == 0 ? -delta : tile::fused_multiply_add(factor, dp[r][c], -delta));
          if constexpr (Scores::kFits) {
            this->refit(planes, r, c, weight, factor, dp[r][c], kept, ds);
          }
          take(r, x, ds);
        }
        store_float(score(row, at), ds);
        if constexpr (kWeights) store_float(dropped(row, at), kept);
        if constexpr (kWeights && Scores::kFits) this->put_planes(planes, r, c, weight);
      }
    }
    tile::sync_block();
  }

  // Scores, and <dout, value> of the thread's pairs. Barriers stand before it changes shared memory, and
  // behind that.
  FOVEA_DEVICE void compute_products(int32_t first_key,
                                     float (&dp)[Tile::kRowsEach][Tile::kKeysEach]) {
    compute(first_key);
    if constexpr (Scores::kFits) this->widen_keys();
    FOVEA_NO_UNROLL
    for (int32_t begin = 0; begin < p.value_head_dim; begin += Tile::kPart) {
      if (begin > 0) tile::sync_block();
      if (!keeps_dout) load_dout(begin);
      if (!keeps_values) load_values(first_key, begin);
      tile::sync_block();
      const int32_t left = p.value_head_dim - begin;
      add_products(left < Tile::kPart ? left : Tile::kPart, dp);
    }
  }

  // Which of the thread's keys dropout drops of a row: a bit for each.
  FOVEA_DEVICE uint32_t draw_dropped(int32_t row, int32_t first_key) const {
    // They are of one draw, a word each.
    static_assert(Tile::kKeyThreads == 8 && Tile::kKeysEach == 4);
    uint32_t dropped_keys = 0;
    if (p.dropout_threshold == 0) return dropped_keys;
    const Draws draws(p, rows, uint32_t(row), first_key, uint32_t(key_of(0) / 2));
    FOVEA_UNROLL
    for (int c = 0; c < Tile::kKeysEach; ++c) {
      if (draws.draw(c, uint32_t(key_of(0) % 2)) < p.dropout_threshold) dropped_keys |= 1u << c;
    }
    return dropped_keys;
  }

  // The rows and keys of a chunk of head_dim as factors, in place of the last part.
  FOVEA_DEVICE void load_chunk(int32_t first_key, int32_t chunk) {
    if (p.head_dim <= Tile::kPart) return;
    load_queries(chunk * kChunk, false);
    load_keys(first_key, chunk * kChunk, false);
    keeps_queries = keeps_keys = false;
  }

 private:
  FOVEA_DEVICE void add_products(int32_t width,
                                 float (&dp)[Tile::kRowsEach][Tile::kKeysEach]) const {
    if (row_of(0) >= rows.count) return;
    FOVEA_NO_UNROLL
    for (int32_t d = 0; d < width; d += 4) {
      float v[Tile::kKeysEach][4];
      FOVEA_UNROLL
      for (int c = 0; c < Tile::kKeysEach; ++c) load_floats(value(key_of(c), d), v[c]);
      FOVEA_UNROLL
      for (int r = 0; r < Tile::kRowsEach; ++r) {
        float g[4];
        load_floats(dout(row_of(r), d), g);
        FOVEA_UNROLL
        for (int c = 0; c < Tile::kKeysEach; ++c) {
          FOVEA_UNROLL
          for (int i = 0; i < 4; ++i) dp[r][c] = tile::fused_multiply_add(g[i], v[c][i], dp[r][c]);
        }
      }
    }
  }
};

// A row of gradients to a tensor of any type.
FOVEA_DEVICE void store_gradients(void* tensor, int32_t dtype, int64_t offset, int32_t count,
                                  bool accumulate, const float (&x)[4]) {
  tile::with_type(dtype, [&](auto* type) {
    using Element = std::remove_pointer_t<decltype(type)>;
    Element* const to = static_cast<Element*>(tensor) + offset;
    FOVEA_UNROLL
    for (int e = 0; e < 4; ++e) {
      if (e >= count) continue;
      const float before = accumulate ? tile::widen(tile::load_global(to + e)) : 0.0f;
      tile::store_rounded(to + e, before + x[e]);
    }
  });
}

}  // namespace fovea::pairs::cuda
