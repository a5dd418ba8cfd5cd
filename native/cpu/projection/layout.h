// How the projection of sequences on a CPU cuts its work and its memory: what the planner reserves, and the
// kernels use. Offsets and sizes in floats, each row on a 64-byte boundary.
#pragma once

#include <algorithm>

#include "ops/projection/projection.h"

namespace fovea::projection::cpu {

// Positions whose products are summed by themselves, one such sum then added to the other: constant, because
// the bits of out hang on it.
constexpr int64_t kChunk = 1024;
// Of these as many at a time: rows of weight are read in runs so long that a page of memory is not looked up
// for every few lines.
inline int64_t depth_of(const Spec& spec) {
  return spec.head_dim <= 128 ? 512 : spec.head_dim <= 256 ? 256 : 128;
}
// Rows of weight at a time, in a product with these.
constexpr int64_t kGroup = 24;
// Backward, for dx, rows of weight that are summed together, likewise constant; and positions at a time.
constexpr int64_t kRankDepth = 64;
constexpr int64_t kColumns = 96;

enum ForwardPhase {
  kProductPhase,  // of a tile of rows all chunks; or, where items would be too few, one each,
  kSumPhase,      // and these added up
  kForwardPhases,
};

enum BackwardPhase { kInputPhase, kWeightPhase, kBackwardPhases };  // dx, dweight

inline int64_t chunks_of(int64_t length) { return (length + kChunk - 1) / kChunk; }

// Of a head's columns.
inline int64_t row_of(int64_t columns) { return (columns + 15) / 16 * 16; }
// An odd number of cache lines, so that a column of elements meets every set of the cache.
inline int64_t apart(int64_t columns) { return (row_of(columns) / 16 | 1) * 16; }

// Of one worker.
struct Scratch {
  int64_t total = 0;

 protected:
  int64_t reserve(int64_t rows, int64_t row) {
    const int64_t at = total;
    total += rows * row;
    return at;
  }
};

struct ForwardScratch : Scratch {
  int64_t depth, row, weight_row;
  int64_t x;             // depth positions
  int64_t weight;        // of a group of rows as many columns
  int64_t sums, totals;  // of a chunk; of those before

  explicit ForwardScratch(const fovea_plan& plan)
      : depth(depth_of(spec_of(plan))),
        row(row_of(spec_of(plan).head_dim)),
        weight_row(apart(depth)) {
    x = reserve(depth, row);
    weight = reserve(kGroup, weight_row);
    sums = reserve(plan.tile_queries, row);
    totals = reserve(plan.items[kSumPhase] == 0 ? plan.tile_queries : 0, row);
  }
};

struct BackwardScratch : Scratch {
  int64_t row, position_row;
  int64_t douts;    // kRankDepth rows
  int64_t weight;   // kRankDepth rows of kColumns positions
  int64_t columns;  // the tile's positions of x as columns
  int64_t sums;     // positions of dx, or rows of dweight

  explicit BackwardScratch(const fovea_plan& plan)
      : row(row_of(spec_of(plan).head_dim)), position_row(apart(plan.tile_keys)) {
    const int64_t rows = plan.tile_queries, positions = plan.tile_keys;
    static_assert(kGroup <= kRankDepth);
    douts = reserve(kRankDepth, row);
    weight = reserve(kRankDepth, kColumns);
    columns = reserve(row, position_row);
    sums = reserve(1, std::max(positions * row, rows * position_row));
  }
};

// Of a run: the sums of each chunk of a head of a sequence, where these are items.
inline int64_t partial_sums(const Spec& spec) {
  return spec.batch * spec.heads * chunks_of(spec.length) * spec.rank * row_of(spec.head_dim);
}

}  // namespace fovea::projection::cpu
