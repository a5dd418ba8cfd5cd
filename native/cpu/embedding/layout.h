// Phases of embedding lookup on a CPU, how its sums are cut, and its workspace: for planner and kernel alike.
#pragma once

#include <algorithm>

#include "ops/embedding/embedding.h"

namespace fovea::embedding::cpu {

enum ForwardPhase {
  kCheckPhase,   // whether all indices are rows, so that a run which is refused has written nothing
  kLookupPhase,  // rows of out
  kForwardPhases,
};
enum BackwardPhase {
  kListPhase,  // which tokens each row of a table has; checks some of the indices, too
  kSumPhase,
  kBackwardPhases,
};

constexpr int64_t kMostColumns = 1024;  // of a tile

inline int64_t parts_of(int64_t count, int64_t part) { return (count + part - 1) / part; }

// Tokens of an item of the first phase.
constexpr int64_t kCheckedTokens = 65536;
inline int64_t checks_of(const Spec& spec) { return parts_of(tokens_of(spec), kCheckedTokens); }

// The gradient of a table, row by row, each in L1 from the tokens that it has: dout is read once and the
// gradient written once, whatever the order of ids.
struct Sums {
  Gradient gradient;
  int64_t ranges = 0;      // of rows, listed each by itself; none where tokens are at known rows
  int64_t parts = 0;       // of rows, with about as many rows and tokens each
  int64_t tiles, columns;  // of a row
  // Row v has the tokens order[starts[v]] to order[starts[v + 1] - 1].
  int32_t *starts, *order;
  int64_t ints = 0;  // of both

  Sums(const Spec& spec, bool wanted, const Gradient& of, int64_t tile, int32_t* workspace)
      : gradient(of), tiles(parts_of(spec.width, tile)), columns(tile) {
    constexpr int64_t kElements = 131072;
    const int64_t tokens = tokens_of(spec), rows = of.of.rows;
    starts = workspace;
    order = workspace + rows + 1;
    if (!wanted || rows == 0) return;
    parts = std::clamp<int64_t>((rows + tokens) * columns / kElements, 1, rows);
    if (!of.of.given) return;
    // Each looks at all indices, sixteen a cycle: little beside rows of dout while there are few.
    constexpr int64_t kTokens = 16384, kMostRanges = 64;
    ranges = std::clamp<int64_t>(tokens / kTokens, 1, std::min(kMostRanges, rows));
    ints = rows + 1 + tokens;
  }

  int64_t items() const { return parts * tiles; }
};

// Those of a backward pass; what is not wanted has no items.
struct Layout {
  Sums table, positions;

  Layout(const Spec& spec, const BackwardOperands& operands, int64_t columns, void* workspace)
      : table(spec, spec.has_dtable, dtable_of(spec, operands), columns,
              static_cast<int32_t*>(workspace)),
        positions(spec, spec.has_dpositions, dpositions_of(spec, operands), columns,
                  static_cast<int32_t*>(workspace) + table.ints) {}
};

// Of a tile. A row that all tokens are at is cut by columns alone, which few workers do not need: pieces of
// rows take a tenth longer than whole ones.
inline int64_t columns_of(const Spec& spec, int32_t processors) {
  constexpr int32_t kFew = 4;
  constexpr int64_t kColumns = 256;
  const int64_t tiles = parts_of(spec.width, processors > kFew ? kColumns : kMostColumns);
  return parts_of(parts_of(spec.width, tiles), 64) * 64;
}

}  // namespace fovea::embedding::cpu
