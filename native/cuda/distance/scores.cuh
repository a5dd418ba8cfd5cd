// The scores of a tile of query rows and keys, in shared memory: squared distances, as sums of squared
// differences, times a factor of the row's head. |q|^2 + |k|^2 - 2 <q, k> would take half the operations, and
// be wrong by some 2^-23 (|q|^2 + |k|^2), however near q and k are.
#pragma once

#include "core/constants.h"
#include "cuda/distance/params.h"
#include "cuda/pairs/tile_scores.cuh"

namespace fovea::distance::cuda {

// 1 / bandwidth^2 of a head, within float32; NaN where there is none.
FOVEA_DEVICE double inverse_square_of(const DistanceParams& p, int32_t head) {
  const double bandwidth = double(tile::load_global(p.bandwidth + head));
  const double square = bandwidth * bandwidth, most = 3.40282346638528859812e38;
  const double nan = double(tile::as_float(0x7fffffff));
  return !(square > 0) ? nan : 1 / square > most ? most : 1 / square;
}

template <typename Tile>
class Scores : public TileScores<Tile, DistanceParams> {
  using Base = TileScores<Tile, DistanceParams>;

 public:
  using Base::keeps_keys, Base::keeps_queries, Base::key, Base::key_of, Base::p, Base::query,
      Base::row_of, Base::rows, Base::score, Base::slot, Base::word;

  FOVEA_DEVICE Scores(const DistanceParams& params, const AttentionRows& of, uint32_t)
      : Base(params, of) {}

  // What scores take of heads, those of the rows of the tile, which are new. A barrier stands before and
  // behind.
  FOVEA_DEVICE void load_heads() {
    keeps_queries = false;
    if (rows.head0 == head0_) return;
    head0_ = rows.head0;
    const int32_t at = int32_t(tile::thread_index());
    if (at >= int32_t(p.heads.value)) return;
    const double inverse = inverse_square_of(p, rows.head(at));
    store_float(word(Tile::kInverse, at), float(inverse));
    store_float(word(Tile::kScale, at), float(inverse * (-0.5 / kLn2)));
  }
  // 1 / bandwidth^2 of a row's head.
  FOVEA_DEVICE float inverse(int32_t row) const {
    return load_float(word(Tile::kInverse, slot(row)));
  }

  // Elements [begin, begin + kPart) of rows and keys, zeros behind head_dim, rows and keys.
  FOVEA_DEVICE void load_queries(int32_t begin, bool) {
    tile::with_type(p.spec.dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      load_rows_of_warp<Element, Tile::kRows, Tile::kPart>(
          begin, p.head_dim,
          [&](int32_t row) {
            return row < rows.count ? static_cast<const Element*>(p.query) +
                                          rows.offset(p.spec.query_stride, rows.position(row),
                                                      rows.head(row))
                                    : nullptr;
          },
          [&](int32_t row, const auto& x) { store_part(x, query(row, 0)); });
    });
  }

  FOVEA_DEVICE void load_keys(int32_t first_key, int32_t begin, bool) {
    tile::with_type(p.spec.dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      const Element* const keys =
          static_cast<const Element*>(p.key) + rows.key_offset(p.spec.key_stride);
      const int32_t count = rows.key_length - first_key;
      load_rows_of_warp<Element, kKeys, Tile::kPart>(
          begin, p.head_dim,
          [&](int32_t at) {
            return at < count ? keys + (first_key + at) * p.spec.key_stride[1] : nullptr;
          },
          [&](int32_t at, const auto& x) { store_part(x, key(at, 0)); });
    });
  }

  // Scores of all pairs of the tile, in units of log2; those of rows and keys that are not there are
  // anything. Barriers stand before it changes shared memory, and behind.
  FOVEA_DEVICE void compute(int32_t first_key) {
    float total[Tile::kRowsEach][Tile::kKeysEach] = {};
    FOVEA_NO_UNROLL
    for (int32_t begin = 0; begin < p.head_dim; begin += Tile::kPart) {
      tile::sync_block();
      if (!keeps_queries) load_queries(begin, begin == 0);
      if (!keeps_keys) load_keys(first_key, begin, begin == 0);
      tile::sync_block();
      const int32_t left = p.head_dim - begin;
      add_part(left < Tile::kPart ? left : Tile::kPart, total);
    }
    FOVEA_UNROLL
    for (int r = 0; r < Tile::kRowsEach; ++r) {
      const float scale = load_float(word(Tile::kScale, slot(row_of(r))));
      FOVEA_UNROLL
      for (int c = 0; c < Tile::kKeysEach; ++c) {
        store_float(score(row_of(r), key_of(c)), total[r][c] * scale);
      }
    }
    tile::sync_block();
  }

 private:
  // Adds the squares of the part for each pair of the thread. 64 terms at a time, so that none joins a sum
  // that is much larger.
  FOVEA_DEVICE void add_part(int32_t width,
                             float (&total)[Tile::kRowsEach][Tile::kKeysEach]) const {
    if (row_of(0) >= rows.count) return;
    constexpr int32_t kNear = 64;
    FOVEA_NO_UNROLL
    for (int32_t from = 0; from < width; from += kNear) {
      const int32_t end = width < from + kNear ? width : from + kNear;
      float sum[Tile::kRowsEach][Tile::kKeysEach] = {};
      FOVEA_NO_UNROLL
      for (int32_t a = from; a < end; a += 4) {
        float k[Tile::kKeysEach][4];
        FOVEA_UNROLL
        for (int c = 0; c < Tile::kKeysEach; ++c) load_floats(key(key_of(c), a), k[c]);
        FOVEA_UNROLL
        for (int r = 0; r < Tile::kRowsEach; ++r) {
          float q[4];
          load_floats(query(row_of(r), a), q);
          FOVEA_UNROLL
          for (int c = 0; c < Tile::kKeysEach; ++c) {
            FOVEA_UNROLL
            for (int i = 0; i < 4; ++i) {
              const float difference = q[i] - k[c][i];
              sum[r][c] = tile::fused_multiply_add(difference, difference, sum[r][c]);
            }
          }
        }
      }
      FOVEA_UNROLL
      for (int r = 0; r < Tile::kRowsEach; ++r) {
        FOVEA_UNROLL
        for (int c = 0; c < Tile::kKeysEach; ++c) total[r][c] += sum[r][c];
      }
    }
  }

  int32_t head0_ = -1;  // those of which heads are in shared memory
};

}  // namespace fovea::distance::cuda
