// How distance attention on a CPU cuts its memory: what the planner reserves, and the kernels use. Offsets
// and sizes in floats, each part on a 64-byte boundary.
#pragma once

#include <cstdint>

#include "cpu/softmax/backward_layout.h"
#include "ops/distance/distance.h"
#include "ops/distance/fit.h"

namespace fovea::distance::cpu {

// Keys of a tile: a multiple of the 32 that dropout draws together, and no more than this.
constexpr int kMostKeys = 128;

// Of linear fits, in doubles: for each of what moments are of (fit.h), those of a tile's keys; moments of the
// tile's rows.
struct FitScratch {
  int64_t z = 0, z_row = 0;
  int64_t moments = 0;

  // Up to four at a time are summed.
  static constexpr int rows_of_z(int dim) { return (dim + 2 + 3) / 4 * 4; }
};

// Of one worker, for scores: those of a tile, its rows, and its keys as columns.
struct ScoreScratch {
  int64_t key_row, query_row,
      value_row;  // of rows of keys, of head_dim and of value_head_dim elements
  int64_t queries, transposed_keys;
  int64_t weights;  // S, then P
  int64_t total = 0;

  explicit ScoreScratch(const fovea_plan& plan) {
    using fovea::cpu::apart;
    const Spec& spec = spec_of(plan);
    key_row = apart(plan.tile_keys);
    query_row = apart(spec.head_dim);
    value_row = apart(spec.value_head_dim);
    queries = reserve(plan.tile_queries, query_row);
    transposed_keys = reserve(spec.head_dim, key_row);
    weights = reserve(plan.tile_queries, key_row);
  }

 protected:
  int64_t reserve(int64_t rows, int64_t row) {
    const int64_t at = total;
    total += (rows * row + 15) / 16 * 16;
    return at;
  }

  FitScratch reserve_fit(const fovea_plan& plan) {
    const Spec& spec = spec_of(plan);
    const int dim = int(spec.head_dim);
    FitScratch fit;
    if (!is_linear(spec)) return fit;
    fit.z_row = key_row;
    fit.z = reserve(FitScratch::rows_of_z(dim), 2 * key_row);
    fit.moments = reserve(plan.tile_queries, 2 * moments_of(dim, spec.pass == FOVEA_BACKWARD));
    return fit;
  }
};

struct ForwardScratch : ScoreScratch {
  int64_t values, outputs, kept;
  FitScratch fit;
  int64_t fits = 0;  // of the rows of a tile, in doubles

  // Inline, so that no two tiers share its code.
  [[gnu::always_inline]] explicit ForwardScratch(const fovea_plan& plan) : ScoreScratch(plan) {
    fit = reserve_fit(plan);
    if (is_linear(spec_of(plan))) {
      fits = reserve(plan.tile_queries, 2 * FitRow{int(spec_of(plan).head_dim)}.doubles());
    }
    values = reserve(plan.tile_keys, value_row);
    outputs = reserve(plan.tile_queries, value_row);
    kept = reserve(1, key_row);
  }
};

struct BackwardScratch : ScoreScratch {
  int64_t keys, transposed_values, douts, gradients, dkeys, dvalues, kept;
  FitScratch fit;
  // Of linear fits: slopes or tilts of the rows of a tile, and what these are multiplied by.
  int64_t vectors = 0, slope_weights = 0, tilt_weights = 0;

  // Inline, so that no two tiers share its code.
  [[gnu::always_inline]] explicit BackwardScratch(const fovea_plan& plan) : ScoreScratch(plan) {
    keys = reserve(plan.tile_keys, query_row);
    transposed_values = reserve(spec_of(plan).value_head_dim, key_row);
    douts = reserve(plan.tile_queries, value_row);
    gradients = reserve(plan.tile_queries, key_row);
    dkeys = reserve(plan.tile_keys, query_row);
    dvalues = reserve(plan.tile_keys, value_row);
    kept = reserve(1, key_row);
    if (!is_linear(spec_of(plan))) return;
    fit = reserve_fit(plan);
    vectors = reserve(plan.tile_queries, query_row);
    slope_weights = reserve(plan.tile_queries, key_row);
    tilt_weights = reserve(plan.tile_queries, key_row);
  }
};

enum BackwardPhase {
  kHeadPhase = fovea::cpu::kFirstOwnPhase,  // dbandwidth
  kBackwardPhases,
};

inline int64_t key_chunks(int64_t key_length) { return fovea::cpu::key_chunks(key_length, 512); }

// Beside what the rows have: for each chunk of keys and row its sum of score gradients times scores.
struct BackwardWorkspace : fovea::cpu::RowWorkspace {
  int64_t moments;
  int64_t fits;  // by row, of linear fits, in doubles

  explicit BackwardWorkspace(const fovea_plan& plan)
      : RowWorkspace(spec_of(plan), key_chunks(spec_of(plan).key_length), plan.isa) {
    const Spec& spec = spec_of(plan);
    moments = reserve(spec.has_dbandwidth ? __int128{key_chunks(spec.key_length)} * rows : 0);
    fits = reserve(is_linear(spec) ? __int128{2} * rows * FitRow{int(spec.head_dim)}.doubles() : 0);
  }
};

}  // namespace fovea::distance::cpu
