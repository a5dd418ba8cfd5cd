// What forward_tile.h has, by tiles of AMX: blocks of 32 keys or columns of values by 32 rows, and sums of 32 keys.
#pragma once

#include "cpu/attention/fetcher.h"
#include "cpu/attention/rows.h"
#include "cpu/attention/scale_scores.h"
#include "cpu/pair_rows.h"
#include "cpu/tiles.h"

#if defined(FOVEA_TILES)

namespace fovea::attention::cpu::FOVEA_TIER {

// Keys of so many pairs as tiles of sixteen of them: see whole_tiles. Has `fetcher` fetch so many lines for each.
template <typename C>
[[gnu::noinline]] void pack_keys(const char* const* rows, Fetcher fetcher, int64_t lines, int count, int64_t pairs,
                                 float* to) {
  const int64_t steps = tiles_of(pairs);
  for (int j = 0; j < count; ++j) {
    for (int64_t line = 0; line < lines; ++line) fetcher.next();
    float* at = to + j / kTileRows * steps * kTileFloats + j % kTileRows * kTilePairs;
    for (int64_t c = 0; c < pairs; c += kTilePairs, at += kTileFloats) {
      _mm512_store_si512(at, load_wide<C>(rows[j], 2 * c, 2 * (pairs - c)));
    }
  }
}

// Columns of values as tiles of sixteen of them, pairs of keys along their rows: `steps` tiles of 32 keys. Has
// `fetcher` fetch so many lines for each.
template <typename C>
[[gnu::noinline]] void pack_value_columns(const char* const* values, Fetcher fetcher, int64_t lines, int count,
                                          int64_t columns, int64_t steps, float* to) {
  const int64_t squares = (columns + kWords - 1) / kWords;
  const int64_t lines_of_square = (lines * kStepKeys + squares - 1) / squares;
  for (int j = 0; j < count; j += kStepKeys) {
    for (int64_t c = 0; c < columns; c += kWords) {
      for (int64_t line = 0; line < lines_of_square; ++line) fetcher.next();
      vfloat low[kTilePairs], high[kTilePairs];
#pragma GCC unroll 16
      for (int p = 0; p < kTilePairs; ++p) {
        load_joined_wide<C>(values[j + 2 * p], values[j + 2 * p + 1], c, columns - c, low[p], high[p]);
      }
      const auto put = [&](int64_t at, vfloat (&v)[kTilePairs]) {
        transpose_square(v);
        float* const tile = to + (at / kTileRows * steps + j / kStepKeys) * kTileFloats;
#pragma GCC unroll 16
        for (int r = 0; r < kTileRows; ++r) store(tile + r * kTilePairs, v[r]);
      };
      put(c, low);
      if (c + kTileRows < columns) put(c + kTileRows, high);
    }
  }
}

// Scores of keys [begin, end), both multiples of kGroup, times `scale`; raises `maximum` to each row's largest. Keys,
// and columns of queries, have so many pairs. Of a block of rows none is skipped.
template <int kVectors, int kSkipped>
[[gnu::noinline]] void scores(const float* keys, const float* queries, int64_t pairs, float scale, int begin, int end,
                              float* s, float* maximum) {
  constexpr int kWidth = kVectors * kLanes;
  for (int j = begin; j < end; j += kBlockRows) {
    for (int v = 0; v < kVectors; v += kBlockTiles) {
      multiply_tile_block(std::min(kBlockTiles, (end - j) / kTileRows), std::min(kBlockTiles, kVectors - v),
                          whole_tiles(keys + j * pairs, pairs / kTilePairs), queries + v * kLanes, kWidth,
                          pairs / kTilePairs, false, s + j * kWidth + v * kLanes, kWidth);
    }
  }
  scale_scores<kVectors>(s, begin, end, [&](int) { return splat(scale); }, maximum);
}

// A step of keys of which some lie outside [begin, end): of these nothing is multiplied, as a weight of 0 does not
// undo a NaN.
class EdgeStep {
 public:
  EdgeStep(int step, int begin, int end) : step_(step) {
    const auto below = [step](int key) {
      return key <= step ? 0u : key >= step + kStepKeys ? ~0u : (1u << (key - step)) - 1;
    };
    seen_ = below(end) & ~below(begin);
  }

  // Those of so many tiles.
  TileFactor of(const TileFactor& values, int tiles) {
    const float* const from = values.at + step_ / kStepKeys * values.next;
    for (int tile = 0; tile < tiles; ++tile) {
      for (int64_t i = 0; i < kTileFloats; i += kLanes) {
        store(columns_ + tile * kTileFloats + i,
              from_bits(vint(_mm512_maskz_mov_epi16(seen_, __m512i(bits(load(from + tile * values.tile + i)))))));
      }
    }
    return whole_tiles(columns_, 1);
  }

 private:
  const int step_;
  uint32_t seen_;
  alignas(64) float columns_[kBlockTiles * kTileFloats];
};

// out = alpha * out + V^T P over keys from `begin` to the last of `ends`, for `groups` tiles of value columns, each of so many steps of keys.
template <int kVectors>
[[gnu::noinline]] void accumulate(const float* values, int64_t steps, int64_t groups, float* p, int begin,
                                  const int* ends, const float* alpha, float* out) {
  constexpr int kWidth = kVectors * kLanes;
  const int end = ends[kVectors - 1];
  const int first = begin / kStepKeys * kStepKeys, last = (end + kStepKeys - 1) / kStepKeys * kStepKeys;
  std::fill_n(p + first / 2 * kWidth, (begin / 2 - first / 2) * kWidth, 0.0f);
  std::fill_n(p + (end + 1) / 2 * kWidth, (last / 2 - (end + 1) / 2) * kWidth, 0.0f);
  int whole = begin == first ? first : first + kStepKeys, whole_end = end == last ? last : last - kStepKeys;
  EdgeStep left(first, begin, end), right(last - kStepKeys, begin, end);
  const bool has_left = whole > first, has_right = whole_end < last && last - kStepKeys >= whole;
  vfloat decay[kVectors];
  bool decays = false;
  for (int v = 0; v < kVectors; ++v) {
    decay[v] = load(alpha + v * kLanes);
    decays |= any(decay[v] != splat(1.0f));
  }
  for (int64_t group = 0; group < groups; group += kBlockTiles) {
    const int tiles = int(std::min<int64_t>(kBlockTiles, groups - group));
    const TileFactor x = whole_tiles(values + group * steps * kTileFloats, steps);
    float* const to = out + group * kTileRows * kWidth;
    if (decays) {
      for (int r = 0; r < tiles * kTileRows; ++r) {
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) {
          float* const at = to + r * kWidth + v * kLanes;
          store(at, load(at) * decay[v]);
        }
      }
    }
    const auto add = [&](const TileFactor& a, int from, int to_key) {
      for (int v = 0; v < kVectors; v += kBlockTiles) {
        multiply_tile_block(tiles, std::min(kBlockTiles, kVectors - v), a, p + from / 2 * kWidth + v * kLanes, kWidth,
                            (to_key - from) / kStepKeys, true, to + v * kLanes, kWidth);
      }
    };
    if (has_left) add(left.of(x, tiles), first, first + kStepKeys);
    if (whole < whole_end) add({x.at + whole / kStepKeys * x.next, x.row, x.tile, x.next}, whole, whole_end);
    if (has_right) add(right.of(x, tiles), last - kStepKeys, last);
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER

#endif
