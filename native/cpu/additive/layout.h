// How additive attention on a CPU cuts its memory: what the planner reserves, and the kernels use. Offsets
// and sizes in floats, each part on a 64-byte boundary.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/softmax/backward_layout.h"
#include "ops/additive/additive.h"

namespace fovea::additive::cpu {

// Sums over head_dim are taken so many terms at a time, whose denominators share one division.
constexpr int kShared = 4;

// Keys of a tile: a multiple of the 32 that dropout draws together, and no more than this.
constexpr int kMostKeys = 128;

// Of one worker, for scores: those of a tile, and what its rows and keys are as factors of them.
struct ScoreScratch {
  int64_t key_row, query_row,
      value_row;  // of rows of keys, of head_dim and of value_head_dim elements
  int64_t queries, transposed_keys, head_weights;
  int64_t most_keys;  // of each element the largest of all keys
  int64_t raw;        // a bias, a key, and their tanh
  int64_t weights;    // S, then P
  int64_t total = 0;

  explicit ScoreScratch(const fovea_plan& plan) {
    using fovea::cpu::apart;
    const Spec& spec = spec_of(plan);
    key_row = apart(plan.tile_keys);
    query_row = apart(spec.head_dim);
    value_row = apart(spec.value_head_dim);
    const int64_t group = spec.query_heads / spec.key_heads;
    queries = reserve(plan.tile_queries, query_row);
    transposed_keys = reserve((spec.head_dim + kShared - 1) / kShared * kShared, key_row);
    head_weights = reserve(std::min<int64_t>(group, plan.tile_queries), query_row);
    most_keys = reserve(1, query_row);
    raw = reserve(3, query_row);
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
  int64_t sums;  // of a tile, for each of its heads: of dweight, then of dbias

  explicit BackwardScratch(const fovea_plan& plan) : ScoreScratch(plan) {
    keys = reserve(plan.tile_keys, query_row);
    transposed_values = reserve(spec_of(plan).value_head_dim, key_row);
    douts = reserve(plan.tile_queries, value_row);
    gradients = reserve(plan.tile_queries, key_row);
    dkeys = reserve(plan.tile_keys, query_row);
    dvalues = reserve(plan.tile_keys, value_row);
    kept = reserve(1, key_row);
    const Spec& spec = spec_of(plan);
    const int64_t heads = std::min<int64_t>(spec.query_heads / spec.key_heads, plan.tile_queries);
    sums = reserve(spec.has_dweight || spec.has_dbias ? 2 * heads : 0, query_row);
  }
};

enum BackwardPhase {
  kHeadPhase = fovea::cpu::kFirstOwnPhase,  // dweight and dbias
  kBackwardPhases,
};

// Shorter than attention's: a pair takes so many times as long.
inline int64_t key_chunks(int64_t key_length) { return fovea::cpu::key_chunks(key_length, 256); }

// Beside what the rows have: for each sequence, chunk of keys and head what they add to dweight and to
// dbias, in double, because of the many terms.
struct BackwardWorkspace : fovea::cpu::RowWorkspace {
  int64_t sums, sum_row;  // in doubles: a row of each

  explicit BackwardWorkspace(const fovea_plan& plan)
      : RowWorkspace(spec_of(plan), key_chunks(spec_of(plan).key_length), plan.isa) {
    const Spec& spec = spec_of(plan);
    sum_row = spec.head_dim;
    const __int128 chunks = key_chunks(spec.key_length);
    const bool any = spec.has_dweight || spec.has_dbias;
    sums = reserve(any ? 4 * chunks * spec.batch * spec.query_heads * sum_row : 0) / 2;
  }

  // In doubles, of dweight; that of dbias lies behind it.
  int64_t sums_of(const Spec& spec, int64_t batch, int64_t chunk, int64_t head) const {
    return sums +
           ((batch * key_chunks(spec.key_length) + chunk) * spec.query_heads + head) * 2 * sum_row;
  }
};

}  // namespace fovea::additive::cpu
