// The phases of a backward pass that take rows: what it knows of each before, and its dquery.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/constants.h"
#include "cpu/softmax/backward_tile.h"

namespace fovea::cpu::FOVEA_TIER {

inline bool is_large_lse(float lse) {
  return std::abs(lse) >= kLargeLse && std::abs(lse) < kInfinity;
}

// Splits the lse of rows [row, row + rows) that have a large one: into the maximum of their scores and
// what log2 of their sums is above it. An lse that is not that of these keys alone stays as it was given.
template <typename Scores>
void split_lse(const BackwardRun<typename Scores::Op>& run, const BackwardWork& work, int64_t row,
               int rows, float* lse, float* rest) {
  BackwardTile<Scores> tile(run, work);
  float maximum[kMostTileRows];
  double sums[kMostTileRows] = {};
  std::fill_n(maximum, rows, -kInfinity);
  tile.start_statistics(row, rows, maximum, sums);
  const int64_t keys = run.plan.tile_keys, end = tile.high(row + rows - 1);
  const auto tile_at = [&](int64_t key) {
    return tile.next_key(row, row + rows, key) / keys * keys;
  };
  tile.load_queries(row, rows);
  for (int64_t j = tile_at(tile.low(row)); j < end; j = tile_at(j + keys)) {
    tile.load_keys(j, int(std::min(keys, work.sequence.key_length - j)));
    tile.join_statistics(maximum, sums);
  }
  for (int r = 0; r < rows; ++r) {
    const float given = lse[row + r];
    if (!is_large_lse(given)) continue;
    const double remainder = std::log2(sums[r]);
    // Two conversions and a rounding lie between them.
    const double off = std::abs(double(maximum[r]) + remainder - double(given));
    if (!(off <= 0x1p-21 * std::abs(double(given)))) continue;
    lse[row + r] = maximum[r];
    rest[row + r] = float(remainder);
  }
}

// kRowPhase. A row that sees nothing gets lse = +inf, so that its weights are 0.
template <typename Scores>
void row_item(const BackwardRun<typename Scores::Op>& run, const BackwardWork& work) {
  const auto& spec = spec_of<typename Scores::Op>(run.plan);
  const Rows rows(spec, work.sequence, work.batch, work.key_head);
  float* const lse = run.workspace + run.workspace_layout.lse + work.first_row;
  float* const rest = run.workspace + run.workspace_layout.rest + work.first_row;
  float* const delta = run.workspace + run.workspace_layout.delta + work.first_row;
  with_type(spec.out_dtype, [&](auto zero) {
    for (int64_t row = work.begin; row < work.end; ++row) {
      const auto at = [&](const void* base, const int64_t (&stride)[3]) {
        const auto* rows_of = static_cast<const decltype(zero)*>(base);
        if (row + kRowsAhead < work.end) {
          prefetch_row(rows_of + rows.query_offset(stride, row + kRowsAhead), spec.value_head_dim);
        }
        return rows_of + rows.query_offset(stride, row);
      };
      const float natural = run.operands.lse[rows.lse_offset(row)];
      const bool dead = natural == -kInfinity;
      constexpr double kMost = std::numeric_limits<float>::max();
      const double binary = double(natural) / kLn2;
      lse[row] =
          dead || natural == kInfinity ? kInfinity : float(std::clamp(binary, -kMost, kMost));
      rest[row] = 0.0f;
      delta[row] = dead ? 0.0f
                        : dot(at(run.operands.dout, spec.dout_stride),
                              at(run.operands.out, spec.out_stride), spec.value_head_dim);
    }
  });
  for (int64_t row = work.begin; row < work.end;) {
    if (!is_large_lse(lse[row])) {
      ++row;
      continue;
    }
    const int count = int(std::min<int64_t>(run.plan.tile_queries, work.end - row));
    split_lse<Scores>(run, work, row, count, lse, rest);
    row += count;
  }
}

// kQueryPhase. Rows beyond the sequence's are padding.
template <typename Scores>
void query_item(const BackwardRun<typename Scores::Op>& run, const BackwardWork& work) {
  const auto& spec = spec_of<typename Scores::Op>(run.plan);
  const auto& workspace = run.workspace_layout;
  const Rows rows(spec, work.sequence, work.batch, work.key_head);
  const int64_t length = work.sequence.query_length * (spec.query_heads / spec.key_heads);
  float* const sum = run.scratch + run.scratch_layout.queries;
  with_type(spec.gradient_dtype, [&](auto zero) {
    for (int64_t row = work.begin; row < work.end; ++row) {
      auto* dquery = static_cast<decltype(zero)*>(run.operands.dquery);
      if (row + kRowsAhead < work.end) {
        prefetch_row(dquery + rows.query_offset(spec.dquery_stride, row + kRowsAhead),
                     spec.head_dim);
      }
      const int64_t chunks = row < length ? work.chunks : 0;
      for (int64_t d = 0; d < workspace.query_row; d += kLanes) {
        vfloat total{};
        for (int64_t chunk = 0; chunk < chunks; ++chunk) {
          const int64_t at = chunk * workspace.rows + work.first_row + row;
          total += load(run.workspace + workspace.dqueries + at * workspace.query_row + d);
        }
        store(sum + d, total);
      }
      if (row < length) Scores::finish_query(run, work.first_row + row, sum);
      store_row(sum, spec.head_dim, Scores::query_units(spec), false,
                dquery + rows.query_offset(spec.dquery_stride, row));
    }
  });
}

}  // namespace fovea::cpu::FOVEA_TIER
