// How distance attention on a CPU cuts its memory: what the planner reserves, and the kernels use. Offsets
// and sizes in floats, each part on a 64-byte boundary.
#pragma once

#include <cstdint>

#include "cpu/softmax/backward_layout.h"
#include "ops/distance/distance.h"

namespace fovea::distance::cpu {

// Keys of a tile: a multiple of the 32 that dropout draws together, and no more than this.
constexpr int kMostKeys = 128;

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
    total += rows * row;
    return at;
  }
};

struct ForwardScratch : ScoreScratch {
  int64_t values, outputs, kept;

  explicit ForwardScratch(const fovea_plan& plan) : ScoreScratch(plan) {
    values = reserve(plan.tile_keys, value_row);
    outputs = reserve(plan.tile_queries, value_row);
    kept = reserve(1, key_row);
  }
};

struct BackwardScratch : ScoreScratch {
  int64_t keys, transposed_values, douts, gradients, dkeys, dvalues, kept;

  explicit BackwardScratch(const fovea_plan& plan) : ScoreScratch(plan) {
    keys = reserve(plan.tile_keys, query_row);
    transposed_values = reserve(spec_of(plan).value_head_dim, key_row);
    douts = reserve(plan.tile_queries, value_row);
    gradients = reserve(plan.tile_queries, key_row);
    dkeys = reserve(plan.tile_keys, query_row);
    dvalues = reserve(plan.tile_keys, value_row);
    kept = reserve(1, key_row);
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

  explicit BackwardWorkspace(const fovea_plan& plan)
      : RowWorkspace(spec_of(plan), key_chunks(spec_of(plan).key_length), plan.isa) {
    const Spec& spec = spec_of(plan);
    moments = reserve(spec.has_dbandwidth ? __int128{key_chunks(spec.key_length)} * rows : 0);
  }
};

}  // namespace fovea::distance::cpu
