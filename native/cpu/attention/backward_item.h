// The items of the backward pass, one function for each phase of vectors.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/constants.h"
#include "cpu/attention/backward_keys.h"

namespace fovea::attention::cpu::FOVEA_TIER {

inline bool is_large_lse(float lse) {
  return std::abs(lse) >= kLargeLse && std::abs(lse) < kInfinity;
}

// Splits the lse of rows [row, row + rows) that have a large one: into the maximum of their scores and
// what log2 of their sums is above it. An lse that is not that of these keys alone stays as it was given.
inline void split_lse(const BackwardRun& run, const BackwardWork& work, int64_t row, int rows,
                      float* lse, float* rest) {
  const Spec& spec = spec_of(run.plan);
  BackwardTile tile(run, work);
  float maximum[kMostTileRows];
  double sums[kMostTileRows] = {};
  std::fill_n(maximum, rows, -kInfinity);
  if (spec.has_sinks) {
    tile.for_each_row(row, row + rows, [&](int64_t at, int64_t, int64_t head) {
      const double sink = double(run.operands.sinks[head]) / kLn2;
      maximum[at - row] = float(std::min<double>(sink, std::numeric_limits<float>::max()));
      sums[at - row] = sink == -kInfinity ? 0 : 1;
    });
  }
  const int64_t begin = tile.low(row) / run.plan.tile_keys * run.plan.tile_keys;
  const int64_t end = tile.high(row + rows - 1);
  tile.load_queries(row, rows);
  for (int64_t j = begin; j < end; j += run.plan.tile_keys) {
    tile.load_keys(j, int(std::min<int64_t>(run.plan.tile_keys, work.sequence.key_length - j)));
    tile.join_statistics(maximum, sums);
  }
  for (int r = 0; r < rows; ++r) {
    const float given = lse[row + r];
    if (!is_large_lse(given)) continue;
    const double remainder = std::log2(sums[r]);
    // Two conversions and a rounding lie between them.
    const double apart = std::abs(double(maximum[r]) + remainder - double(given));
    if (!(apart <= 0x1p-21 * std::abs(double(given)))) continue;
    lse[row + r] = maximum[r];
    rest[row + r] = float(remainder);
  }
}

// kRowPhase. A row that sees nothing gets lse = +inf, so that its weights are 0.
inline void row_item(const BackwardRun& run, const BackwardWork& work) {
  const Spec& spec = spec_of(run.plan);
  const AttentionRows rows(spec, work.sequence, work.batch, work.key_head);
  float* const lse = run.workspace + run.workspace_layout.lse + work.first_row;
  float* const rest = run.workspace + run.workspace_layout.rest + work.first_row;
  float* const delta = run.workspace + run.workspace_layout.delta + work.first_row;
  with_type(spec.out_dtype, [&](auto zero) {
    for (int64_t row = work.begin; row < work.end; ++row) {
      const auto at = [&](const void* base, const int64_t(&stride)[3]) {
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
      lse[row] = dead || natural == kInfinity ? kInfinity
                                              : float(std::clamp(binary, -kMost, kMost));
      rest[row] = 0.0f;
      delta[row] = dead ? 0.0f
                        : dot(at(run.operands.dout, spec_of(run.plan).dout_stride),
                              at(run.operands.out, spec.out_stride), spec.value_head_dim);
    }
  });
  const auto is_large = [&](int64_t row) {
    return is_large_lse(lse[row]);
  };
  for (int64_t row = work.begin; row < work.end;) {
    if (!is_large(row)) {
      ++row;
      continue;
    }
    const int count = int(std::min<int64_t>(run.plan.tile_queries, work.end - row));
    split_lse(run, work, row, count, lse, rest);
    row += count;
  }
}

// kQueryPhase. Rows beyond the sequence's are padding.
inline void query_item(const BackwardRun& run, const BackwardWork& work) {
  const Spec& spec = spec_of(run.plan);
  const Spec& gradients = spec_of(run.plan);
  const BackwardWorkspace& workspace = run.workspace_layout;
  const AttentionRows rows(spec, work.sequence, work.batch, work.key_head);
  const int64_t length = work.sequence.query_length * (spec.query_heads / spec.key_heads);
  float* const sum = run.scratch + run.scratch_layout.queries;
  with_type(gradients.gradient_dtype, [&](auto zero) {
    for (int64_t row = work.begin; row < work.end; ++row) {
      auto* dquery = static_cast<decltype(zero)*>(run.operands.dquery);
      if (row + kRowsAhead < work.end) {
        prefetch_row(dquery + rows.query_offset(gradients.dquery_stride, row + kRowsAhead),
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
      store_row(sum, spec.head_dim, spec.scale, false,
                dquery + rows.query_offset(gradients.dquery_stride, row));
    }
  });
}

// kBiasPhase: adds the rows to dbias, for one tile of keys.
inline void bias_item(const BackwardRun& run, const BackwardWork& work) {
  const Spec& spec = spec_of(run.plan);
  const int64_t(&stride)[3] = spec_of(run.plan).dbias_stride;
  const int tile_rows = run.plan.tile_queries, tile_keys = run.plan.tile_keys;
  const int64_t j = work.keys * tile_keys;
  const int keys = int(std::min<int64_t>(tile_keys, work.sequence.key_length - j));
  if (keys <= 0) return;
  BackwardTile tile(run, work);
  const int64_t group = spec.query_heads / spec.key_heads;
  const int64_t begin = std::max(work.begin, tile.row_low(j));
  const int64_t end = std::min(work.end, tile.row_high(j + keys - 1));
  if (begin < end) tile.load_keys(j, keys);
  for (int64_t row = begin; row < end; row += tile_rows) {
    const int rows = int(std::min<int64_t>(tile_rows, end - row));
    tile.load_rows(row, rows);
    tile.weigh(true, nullptr);
    const Panel<float> ds = tile.gradients();
    const auto add = [keys](const float* from, float* to) {
      for (int k = 0; k < keys; ++k) to[k] += from[k];
    };
    // Where queries are summed over, first within the tile: fewer roundings in the large sum.
    int64_t distinct = rows;
    if (stride[2] == 0) {
      distinct = std::min<int64_t>(rows, group);
      for (int64_t r = distinct; r < rows; ++r) {
        add(ds.at + r * ds.row, ds.at + r % distinct * ds.row);
      }
    }
    for (int64_t r = 0; r < distinct; ++r) {
      add(ds.at + r * ds.row, run.operands.dbias + tile.score_offset(stride, row + r) + j);
    }
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
