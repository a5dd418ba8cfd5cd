// What few_rows.h has, by tiles of AMX: up to a tile of rows, whose keys are read where they lie. The same products in
// the same order as in forward_amx.h.
#pragma once

#include "cpu/attention/fetcher.h"
#include "cpu/attention/forward_amx.h"

#if defined(FOVEA_TILES)

namespace fovea::attention::cpu::FOVEA_TIER {

constexpr int kMostFewRows = kTileRows;
// Tiles of sums at once: their products take the time that each waits for the one before it.
constexpr int kFewTiles = 4;
constexpr int kFewKeys = kFewTiles * kTileRows;
// Lines of the caches that sixteen rows of so many columns as a tile has.
template <typename C>
constexpr int kLinesOfTile = kTileRows * kWords * int(sizeof(C)) / kValuesOf<C> / 64;

template <typename Body>
inline void with_few_rows(int, Body body) {
  body(std::integral_constant<int, kMostFewRows>{});
}

// Sixteen rows of so many pairs as first factors. Those of bfloat16 that lie equally far apart, as keys of a page do,
// are loaded from there, all others and what is left of a tile through memory of its own.
template <typename C>
class TileOfRows {
 public:
  TileOfRows() = default;
  TileOfRows(const char* const* rows, int64_t pairs) : rows_(rows), pairs_(pairs) {
    const __m512i eight = _mm512_loadu_si512(rows), others = _mm512_loadu_si512(rows + 8);
    const __m512i step = _mm512_set1_epi64(rows[1] - rows[0]), base = _mm512_set1_epi64(int64_t(rows[0]));
    const __m512i there = _mm512_add_epi64(base, _mm512_mullo_epi64(step, _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)));
    const __m512i behind = _mm512_add_epi64(there, _mm512_slli_epi64(step, 3));
    is_even_ = _mm512_cmpneq_epi64_mask(eight, there) == 0 && _mm512_cmpneq_epi64_mask(others, behind) == 0;
  }

  // Tile `pair` / kTilePairs, in two steps, so that what is stored for other tiles is there when it is loaded.
  [[gnu::always_inline]] void prepare(int64_t pair, float* copy) const {
    if (lies_there(pair)) return;
#pragma GCC unroll 4
    for (int r = 0; r < kTileRows; ++r) {
      _mm512_store_si512(copy + r * kTilePairs, load_wide<C>(rows_[r], 2 * pair, 2 * (pairs_ - pair)));
    }
  }
  template <int kTile>
  [[gnu::always_inline]] void load(int64_t pair, const float* copy) const {
    if (lies_there(pair)) {
      load_tile_bytes<kTile>(rows_[0] + 4 * pair, rows_[1] - rows_[0]);
    } else {
      load_tile<kTile>(copy, kTilePairs);
    }
  }

 private:
  bool lies_there(int64_t pair) const { return sizeof(C) == 2 && is_even_ && pair + kTilePairs <= pairs_; }

  const char* const* rows_;
  int64_t pairs_;
  bool is_even_;
};

// Calls body with each of up to kFewTiles tiles, as a constant.
template <typename Body>
[[gnu::always_inline]] inline void for_each_tile(int tiles, Body body) {
  body(std::integral_constant<int, 0>{});
  if (tiles > 1) body(std::integral_constant<int, 1>{});
  if (tiles > 2) body(std::integral_constant<int, 2>{});
  if (tiles > 3) body(std::integral_constant<int, 3>{});
}

template <int kRows, typename C>
[[gnu::noinline]] Fetcher few_scores(const char* const* keys, Fetcher fetcher, const float* queries, int64_t pairs,
                                     float scale, int begin, int end, float* s, float* maximum) {
  begin = begin / kFewKeys * kFewKeys, end = (end + kFewKeys - 1) / kFewKeys * kFewKeys;
  // As much as the keys are, less the eighth.
  constexpr int kLines = kLinesOfTile<C> * 7 / 8, kAtOnce = kLines % 2 == 0 ? 2 : 1;
  for (int j = begin; j < end; j += kFewKeys) {
    TileOfRows<C> rows[kFewTiles];
    for (int t = 0; t < kFewTiles; ++t) rows[t] = TileOfRows<C>(keys + j + t * kTileRows, pairs);
    for_each_tile(kFewTiles, [](auto sum) { zero_tile<sum()>(); });
    const float* q = queries;
    for (int64_t pair = 0; pair < pairs; pair += kTilePairs, q += kTilePairs * kLanes) {
      alignas(64) float copies[kFewTiles][kTileFloats];
      for (int t = 0; t < kFewTiles; ++t) rows[t].prepare(pair, copies[t]);
      load_tile<4>(q, kLanes);
      for_each_tile(kFewTiles, [&](auto sum) {
        constexpr int kKeys = 5 + sum() % 2;
        rows[sum()].template load<kKeys>(pair, copies[sum()]);
        multiply_tiles<sum(), kKeys, 4>();
        for (int line = 0; line < kLines; line += kAtOnce) fetcher.next<kAtOnce>();
      });
    }
    for_each_tile(kFewTiles, [&](auto sum) { store_tile<sum()>(s + j * kLanes + sum() * kTileFloats, kLanes); });
  }
  scale_scores<1>(s, begin, end, [&](int) { return splat(scale); }, maximum);
  return fetcher;
}

// Weights p[key / 2][row] of a step as a first factor, 0 outside of keys [begin, end).
[[gnu::always_inline]] inline void transpose_weights(const float* p, int step, int begin, int end, float* to) {
  vfloat v[kTilePairs];
#pragma GCC unroll 16
  for (int i = 0; i < kTilePairs; ++i) {
    const int pair = step * kTilePairs + i;
    v[i] = pair < begin / 2 || pair >= (end + 1) / 2 ? vfloat{} : load(p + pair * kLanes);
  }
  transpose_square(v);
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r) store(to + r * kTilePairs, v[r]);
}

// Columns [c, c + kWords) of a step of rows, of which the first `count` are there, as pairs of rows: two tiles.
template <typename C>
[[gnu::always_inline]] inline void join_step(const char* const* rows, int64_t c, int64_t count, float* to) {
#pragma GCC unroll 4
  for (int i = 0; i < kTilePairs; ++i) {
    vfloat low, high;
    load_joined_wide<C>(rows[2 * i], rows[2 * i + 1], c, count, low, high);
    store(to + i * kLanes, low);
    store(to + kTileFloats + i * kLanes, high);
  }
}

template <int kRows, typename C>
[[gnu::noinline]] void few_accumulate(const char* const* values, Fetcher fetcher, int64_t columns, const float* p,
                                      int begin, int end, const float* alpha, float* out, int64_t out_row) {
  static_assert(kLanes == kTileRows);
  const int first = begin / kStepKeys, last = (end + kStepKeys - 1) / kStepKeys;
  alignas(64) float weights[kMostTileKeys / kStepKeys * kTileFloats];
  for (int step = first; step < last; ++step) transpose_weights(p, step, begin, end, weights + step * kTileFloats);
  for (int r = 0; r < kRows; ++r) {
    if (alpha[r] == 1.0f) continue;
    const vfloat decay = splat(alpha[r]);
    for (float* at = out + r * out_row; at < out + (r + 1) * out_row; at += kLanes) store(at, load(at) * decay);
  }
  for (int64_t c = 0; c < columns; c += 2 * kWords) {
    const bool wide = columns - c > kWords;
    // What lies behind the columns is multiplied, too, but not kept.
    const int tiles = int(tiles_of(std::min<int64_t>(2 * kWords, columns - c)));
    for_each_tile(tiles, [&](auto tile) { load_tile<tile()>(out + c + tile() * kLanes, out_row); });
    for (int step = first; step < last; ++step) {
      alignas(64) float joined[2][2 * kTileFloats];
      const auto join = [&](int half) {
        for (int line = 0; line < 2 * kLinesOfTile<C>; line += 4) fetcher.next<4>();
        join_step<C>(values + step * kStepKeys, c + half * kWords, columns - c - half * kWords, joined[half]);
      };
      join(0);
      if (wide) join(1);
      load_tile<4>(weights + step * kTileFloats, kTilePairs);
      load_tile<5>(joined[0], kLanes), multiply_tiles<0, 4, 5>();
      load_tile<6>(joined[0] + kTileFloats, kLanes), multiply_tiles<1, 4, 6>();
      if (!wide) continue;
      load_tile<5>(joined[1], kLanes), multiply_tiles<2, 4, 5>();
      load_tile<6>(joined[1] + kTileFloats, kLanes), multiply_tiles<3, 4, 6>();
    }
    for_each_tile(tiles, [&](auto tile) { store_tile<tile()>(out + c + tile() * kLanes, out_row); });
  }
  fetcher.rest();
}

}  // namespace fovea::attention::cpu::FOVEA_TIER

#endif
