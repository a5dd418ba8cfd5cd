// The gradients of scores in the orientation of the keys kernel, which multiplies key by query: a
// thread holds some query rows of its keys, so what belongs to a row comes from shared memory. Columns of
// a fragment are rows of queries here, its rows are keys.
#pragma once

#include "core/philox.h"
#include "cuda/attention/backward_rows.cuh"
#include "cuda/attention/gates.cuh"
#include "cuda/attention/score_modifier.cuh"

namespace fovea::attention::cuda {

// A fact of the rows of a thread's columns in a stage of kRows rows.
template <int kRows>
struct RowFacts {
  uint32_t address;  // of the stage's facts

  FOVEA_DEVICE uint32_t of(RowFact fact, uint32_t row) const {
    return address + 4 * (uint32_t(fact) * kRows + row);
  }
  // Of the two rows of piece j.
  FOVEA_DEVICE void load(RowFact fact, int j, uint32_t (&pair)[2]) const {
    tile::load_shared_pair(of(fact, row_column(j, 0)), pair[0], pair[1]);
  }
  FOVEA_DEVICE void load(RowFact fact, int j, float (&pair)[2]) const {
    uint32_t bits[2];
    load(fact, j, bits);
    pair[0] = tile::as_float(bits[0]);
    pair[1] = tile::as_float(bits[1]);
  }
  static FOVEA_DEVICE uint32_t row_column(int j, int e) { return uint32_t(tile::fragment_column(j, e)); }
};

// As set_visible_tiles, in tiles of rows that see any of kKeys keys. Both bounds of what a row sees rise with its
// position, so the rows that see a key are a range, and so are those that see all of the tile.
template <int kRows, int kKeys>
FOVEA_DEVICE int32_t set_seeing_tiles(const AttentionParams& p, AttentionRows& rows, int32_t first_key) {
  const auto maximum = [](int64_t x, int64_t y) { return x > y ? x : y; };
  const auto minimum = [](int64_t x, int64_t y) { return x < y ? x : y; };
  rows.begin = rows.full_begin = rows.full_end = 0;
  if (first_key >= rows.key_length || rows.query_length == 0) return 0;
  const int64_t last_key = first_key + kKeys - 1, shift = rows.shift(p);
  int64_t from = 0, to = rows.query_length;            // positions that see any
  int64_t full_from = 0, full_to = rows.query_length;  // positions that see all
  if (last_key >= rows.key_length) full_to = 0;
  if (p.spec.causal) {
    from = first_key - shift;
    full_from = last_key - shift;
  }
  if (p.spec.has_window_right) {
    const int64_t right = shift + p.spec.window_right;
    from = maximum(from, first_key - right);
    full_from = maximum(full_from, last_key - right);
  }
  if (p.spec.has_window_left) {
    const int64_t left = shift - p.spec.window_left;
    to = minimum(to, last_key - left + 1);
    full_to = minimum(full_to, first_key - left + 1);
  }
  const int64_t group = rows.group.value;
  from = maximum(from, 0);
  full_from = maximum(full_from, 0);
  if (from >= to) return 0;
  rows.begin = int32_t(from * group / kRows);
  const int32_t end = int32_t((to * group + kRows - 1) / kRows);
  rows.full_begin = int32_t((full_from * group + kRows - 1) / kRows) - rows.begin;
  // Rows that are not there have weights of zero without a mask.
  const int32_t full_end =
      full_to >= rows.query_length ? end : int32_t(maximum(full_to, 0) * group / kRows);
  rows.full_end = full_end - rows.begin;
  return end - rows.begin;
}

// Keys of a thread: 16 i + 8 h + lane / 4 after the first of its warp.
struct ThreadKeys {
  int32_t first;

  FOVEA_DEVICE explicit ThreadKeys(int32_t warp_key)
      : first(warp_key + int32_t(tile::thread_index() % tile::kWarp / 4)) {}
  FOVEA_DEVICE int32_t key(int i, int h) const { return first + 16 * i + 8 * h; }
};

// As RowPlaces, where columns of a fragment are rows of queries.
template <int kRows>
struct ColumnPlaces {
  const AttentionRows& tile_rows;
  RowFacts<kRows> facts;
  ThreadKeys mine;

  FOVEA_DEVICE const AttentionRows& rows() const { return tile_rows; }
  FOVEA_DEVICE int32_t first_key() const { return mine.first; }
  FOVEA_DEVICE int32_t warp_key() const {
    return mine.first - int32_t(tile::thread_index() % tile::kWarp / 4);
  }

  template <int kM, int kColumns>
  FOVEA_DEVICE PlacedRow row_of_lane(const AttentionRows& rows) const {
    const uint32_t row = tile::thread_index() % kRows;
    return {row, int32_t(row) < rows.count, int32_t(tile::load_shared(facts.of(kFactPosition, row))),
            int32_t(tile::load_shared(facts.of(kFactHead, row))), 0};
  }

  template <RowNeed kNeed, int kM, int kColumns, typename Body>
  FOVEA_DEVICE void each_row(const AttentionRows& rows, Body body) const {
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      uint32_t position[2], head[2] = {};
      float slope[2] = {};
      facts.load(kFactPosition, j, position);
      if constexpr (kNeed == RowNeed::kHead) facts.load(kFactHead, j, head);
      if constexpr (kNeed == RowNeed::kSlope) facts.load(kFactSlope, j, slope);
      FOVEA_UNROLL
      for (int e = 0; e < 2; ++e) {
        const uint32_t row = RowFacts<kRows>::row_column(j, e);
        body(PlacedRow{row, int32_t(row) < rows.count, int32_t(position[e]), int32_t(head[e]), slope[e]}, [&](auto visit) {
          FOVEA_UNROLL
          for (int i = 0; i < kM; ++i) {
            FOVEA_UNROLL
            for (int h = 0; h < 2; ++h) visit(i, j, 2 * h + e, 16 * i + 8 * h);
          }
        });
      }
    }
  }
};

// Zeroes dp where dropout drops, scales the rest, and returns what was dropped, a bit for each element.
// A draw of Philox serves eight keys of a row, of which a thread here has only two to four.
template <int kRows, int kM, int kColumns>
FOVEA_DEVICE uint32_t drop_columns(tile::Fragment<kM, kColumns>& dp, const AttentionParams& p,
                                   const AttentionRows& rows, RowFacts<kRows> facts,
                                   ThreadKeys mine) {
  static_assert(4 * kM * kColumns <= 32 && kM <= 2);
  uint32_t dropped = 0;
  const uint32_t key = uint32_t(mine.key(0, 0));
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    uint32_t position[2], head[2];
    facts.load(kFactPosition, j, position);
    facts.load(kFactHead, j, head);
    FOVEA_UNROLL
    for (int e = 0; e < 2; ++e) {
      uint32_t draw[4][1] = {{key / 32 * 4 + key / 2 % 4},
                             {position[e]},
                             {uint32_t(rows.batch) * p.query_heads + head[e]},
                             {p.dropout_offset}};
      philox4x32_10(draw, p.dropout_seed);
      tile::each_of_column(dp, j, e, [&](float& x, int i, int h) {
        // A warp's keys begin at a multiple of 16, or of 32 where it has as many.
        const bool upper = kM == 1 && key / 16 % 2 == 1;
        const uint32_t bits = upper ? draw[2 + h][0] : draw[2 * i + h][0];
        if ((key % 2 == 0 ? bits & 0xffff : bits >> 16) < p.dropout_threshold) {
          x = 0;
          dropped |= 1u << ((i * kColumns + j) * 4 + 2 * h + e);
        } else {
          x *= p.dropout_scale;
        }
      });
    }
  }
  return dropped;
}

// As gate_weights: of every second column, then of those between, so that heads change as seldom.
template <int kRows, int kM, int kColumns>
FOVEA_DEVICE void gate_columns(tile::Fragment<kM, kColumns>& s, const AttentionParams& p,
                               const AttentionRows& rows, RowFacts<kRows> facts, ThreadKeys mine) {
  const KeyGates gates(p, rows);
  int32_t row = -1;
  float gate[kM][2] = {};
  FOVEA_UNROLL
  for (int e = 0; e < 2; ++e) {
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      uint32_t head[2];
      facts.load(kFactHead, j, head);
      const int32_t of_head = gates.row_of(int32_t(head[e]));
      if (of_head != row) {
        row = of_head;
        tile::each_row<kM>([&](int i, int h) { gate[i][h] = gates.of(row, mine.key(i, h), false); });
      }
      tile::each_of_column(s, j, e, [&](float& x, int i, int h) { x *= gate[i][h]; });
    }
  }
}

// Whether the tile has a row that sees no key, or whose statistics are split: alike in every warp.
template <int kRows>
FOVEA_DEVICE bool any_special(RowFacts<kRows> facts) {
  bool special = false;
  const uint32_t lane = tile::thread_anew() % tile::kWarp;
  FOVEA_UNROLL
  for (uint32_t first = 0; first < kRows; first += tile::kWarp) {
    const uint32_t row = kRows < tile::kWarp ? lane % kRows : first + lane;
    const float lse2 = tile::as_float(tile::load_shared(facts.of(kFactLse, row)));
    special |= lse2 == kDeadLse || is_split(lse2);
  }
  return tile::any(special);
}

// (dp - delta) times `unit`, which only products of float16 have: delta has it already.
template <int kMost>
FOVEA_DEVICE float less(float dp, float delta, float unit) {
  return kMost == 0 ? dp - delta : tile::fused_multiply_add(dp, unit, -delta);
}
template <int kMost, int kRows>
FOVEA_DEVICE void load_delta(RowFacts<kRows> facts, int j, float unit, float (&delta)[2]) {
  facts.load(kFactDelta, j, delta);
  if constexpr (kMost != 0) {
    delta[0] *= unit;
    delta[1] *= unit;
  }
}

// The most that |<dout, value> - delta| may be for a row of the tile, alike in every warp.
template <int kRows>
FOVEA_DEVICE float most_gradient(RowFacts<kRows> facts, float value_norm) {
  float most = 0;
  const uint32_t lane = tile::thread_anew() % tile::kWarp;
  FOVEA_UNROLL
  for (uint32_t first = 0; first < kRows; first += tile::kWarp) {
    const uint32_t row = kRows < tile::kWarp ? lane % kRows : first + lane;
    const float norm = tile::as_float(tile::load_shared(facts.of(kFactNorm, row)));
    const float delta = tile::as_float(tile::load_shared(facts.of(kFactDelta, row)));
    most = tile::maximum(most, tile::fused_multiply_add(norm, value_norm, __builtin_fabsf(delta)));
  }
  return tile::warp_max(most);
}

// Products of float16 take score gradients times two to the power of a shift, so that the largest that there may be is
// near 2^15: the shift starts at kMostShift.
constexpr int32_t kMostShift = 60, kLeastShift = -60;

// Lowers `shift` to what the rows of the tile allow, and brings dkey to it.
template <int kRows, int kM, int kColumns>
FOVEA_DEVICE void lower_shift(int32_t& shift, tile::Fragment<kM, kColumns>& dkey, RowFacts<kRows> facts,
                              float value_norm) {
  // most < 2^(exponent - 126)
  const int32_t exponent = int32_t(tile::as_bits(most_gradient(facts, value_norm)) >> 23);
  int32_t allowed = 15 + 126 - exponent;
  if (allowed >= shift) return;
  if (allowed < kLeastShift) allowed = kLeastShift;  // of what is no number, which stays none
  const float change = tile::power_of_two(allowed - shift);
  shift = allowed;
  tile::scale(dkey, change);
}

// Zeroes the rows of dout that see no key: a weight of zero times NaN is NaN.
template <int kRows, int kRowBytes, int kThreads>
FOVEA_DEVICE void clear_dead_rows(uint32_t dout_tile, RowFacts<kRows> facts) {
  using Swizzle = tile::Swizzle<kRowBytes / 16>;
  // Anew: held through the loop over tiles, what follows from it is a register that sm_120 lacks at D 128.
  for (uint32_t n = tile::thread_anew(); n < kRows * kRowBytes / 16; n += kThreads) {
    const uint32_t row = n / (kRowBytes / 16), chunk = n % (kRowBytes / 16);
    if (tile::as_float(tile::load_shared(facts.of(kFactLse, row))) != kDeadLse) continue;
    const uint32_t at = dout_tile + Swizzle::offset(row, chunk);
    tile::store_shared_pair(at, 0, 0);
    tile::store_shared_pair(at + 8, 0, 0);
  }
}

// As rebase_rows; the tile begins at a row of the workspace.
template <int kRows, int kM, int kColumns>
FOVEA_DEVICE void rebase_columns(tile::Fragment<kM, kColumns>& s, const BackwardParams& b,
                                 int64_t workspace_tile, RowFacts<kRows> facts) {
  // Anew: hoisted out of the loop over tiles, it took two registers that sm_120 lacks at D 128.
  const int64_t column = workspace_tile + 2 * (tile::thread_anew() % 4);
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    float lse2[2];
    facts.load(kFactLse, j, lse2);
    FOVEA_UNROLL
    for (int e = 0; e < 2; ++e) {
      if (!is_split(lse2[e])) continue;
      const int64_t at = column + 8 * j + e;
      const float highest = tile::load_global(b.highest + at), rest = tile::load_global(b.rest + at);
      tile::each_of_column(s, j, e, [&](float& x, int, int) { x = x - highest - rest; });
    }
  }
}

// s becomes the weights p_ij times 2^kMost, dp the score gradients p_ij (dp_ij - delta_i) times 2^kMost and
// `unit`; the general kernel has taken delta away already.
template <bool kGeneral, int kMost, int kRows, int kM, int kColumns>
FOVEA_DEVICE void weigh_columns(tile::Fragment<kM, kColumns>& s, tile::Fragment<kM, kColumns>& dp,
                                float softmax_scale, float unit, RowFacts<kRows> facts) {
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    float lse2[2], delta[2];
    facts.load(kFactLse, j, lse2);
    if constexpr (!kGeneral) load_delta<kMost>(facts, j, unit, delta);
    FOVEA_UNROLL
    for (int e = 0; e < 2; ++e) {
      tile::each_of_column(s, j, e, [&](float& x, int i, int h) {
        float& ds = dp[i][j][2 * h + e];
        x = weight_of<kGeneral, kMost>(x, softmax_scale, lse2[e]);
        ds = x * (kGeneral ? ds : less<kMost>(ds, delta[e], unit));
      });
    }
  }
}

template <int kMost, int kRows, int kM, int kColumns>
FOVEA_DEVICE void subtract_delta(tile::Fragment<kM, kColumns>& dp, float unit, RowFacts<kRows> facts) {
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    float delta[2];
    load_delta<kMost>(facts, j, unit, delta);
    FOVEA_UNROLL
    for (int e = 0; e < 2; ++e) {
      tile::each_of_column(dp, j, e, [&](float& x, int, int) { x = less<kMost>(x, delta[e], unit); });
    }
  }
}

}  // namespace fovea::attention::cuda
