// Where the backward pass keeps what in its workspace.
#pragma once

#include "cuda/additive/tiles.h"
#include "cuda/softmax/plan.h"
#include "ops/additive/additive.h"

namespace fovea::additive::cuda {

using namespace fovea::cuda;

enum BackwardPhase {
  kRowsPhase,     // of each row: delta, and the logarithm of its sum
  kKeysPhase,     // dkey and dvalue
  kQueriesPhase,  // dquery, and what each tile of rows adds to dweight and dbias
  kSumsPhase,     // dweight and dbias
  kBackwardPhases,
};

// Heads in a tile of rows.
inline int heads_of(const Spec& spec, int rows) {
  return int(std::min<int64_t>(spec.query_heads / spec.key_heads, rows));
}

// Tiles of rows of the longest sequence.
inline int64_t row_tiles(const Spec& spec) {
  return tiles_of(spec.query_length * (spec.query_heads / spec.key_heads), BackwardTile::kRows);
}

struct BackwardLayout {
  int64_t base, rest, delta;
  int64_t sums;  // by pair, tile of rows and head: of dbias, then of dweight; -1 = not kept
  __int128 bytes = 0;

  explicit BackwardLayout(const Spec& spec) {
    const __int128 rows =
        __int128{spec.packed ? spec.query_total : spec.batch * spec.query_length} * spec.query_heads;
    base = add(rows * 4);
    rest = add(rows * 4);
    delta = add(rows * 4);
    const __int128 tiles = __int128{spec.batch} * spec.key_heads * row_tiles(spec);
    sums = spec.has_dweight || spec.has_dbias
               ? add(tiles * heads_of(spec, BackwardTile::kRows) * 2 * spec.head_dim * 4)
               : -1;
  }

 private:
  int64_t add(__int128 size) {
    const int64_t at = int64_t(bytes);
    bytes += (size + 255) / 256 * 256;
    return at;
  }
};

}  // namespace fovea::additive::cuda
