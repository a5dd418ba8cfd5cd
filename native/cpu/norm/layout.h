// How normalization on a CPU cuts its work and its memory: what the planner reserves, and the kernels use.
#pragma once

#include <algorithm>

#include "ops/norm/norm.h"

namespace fovea::norm::cpu {

enum BackwardPhase {
  kRowPhase,  // dx of a part of the positions, and what these add to dweight and dbias
  kSumPhase,  // of these some columns: the parts added up
  kBackwardPhases,
};

// Positions [first, end) of all sequences, one behind the other.
struct Tile {
  int64_t first, end;
};

// A float32 row on a 64-byte boundary.
inline int64_t row_of(int64_t width) { return (width + 15) / 16 * 16; }

// The positions of a backward pass cut into parts, by sizes alone: bits of dweight and dbias hang on it.
struct Parts {
  int64_t positions, all, count;
  int64_t heads;  // rows of sums
  int64_t row;

  explicit Parts(const Spec& spec)
      : all(spec.batch * spec.length), heads(heads_of_sums(spec)), row(row_of(spec.width)) {
    // Rows that are added one to the other in float32, at most; and so many parts that every worker has
    // several, unless sums of a part would be much beside its rows.
    constexpr int64_t kMostRows = 256, kFewestRows = 16, kParts = 64;
    const int64_t most = std::max<int64_t>(1, kMostRows * heads / spec.heads);
    const int64_t fewest = std::min(kFewestRows, most);
    positions = std::clamp((all + kParts - 1) / kParts, fewest, most);
    count = (all + positions - 1) / positions;
  }

  Tile tile(int64_t part) const {
    return {part * positions, std::min((part + 1) * positions, all)};
  }

  // Of the workspace: sums of dout z of a head, `row` floats, and those of dout behind them.
  int64_t offset(int64_t part, int64_t head) const { return (part * heads + head) * 2 * row; }
};

// Columns of an item of the sum phase.
constexpr int64_t kSumColumns = 256;
inline int64_t sum_blocks(const Spec& spec) { return (spec.width + kSumColumns - 1) / kSumColumns; }

}  // namespace fovea::norm::cpu
