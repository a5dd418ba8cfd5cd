// Where the backward pass keeps what it knows of rows in its workspace.
#pragma once

#include "cuda/pairs/params.h"
#include "cuda/softmax/plan.h"

namespace fovea::pairs::cuda {

enum RowsKeysAndQueries {
  kRowsPhase,     // of each row: delta, and the logarithm of its sum
  kKeysPhase,     // dkey and dvalue
  kQueriesPhase,  // dquery, and what rows add to the gradients of what heads have
  kSumsPhase,     // these
  kBackwardPhases,
};

// Heads in a tile of rows.
template <typename Spec>
int heads_of(const Spec& spec, int rows) {
  return int(std::min<int64_t>(spec.query_heads / spec.key_heads, rows));
}

// Tiles of rows of the longest sequence.
template <typename Spec>
int64_t row_tiles(const Spec& spec) {
  return tiles_of(spec.query_length * (spec.query_heads / spec.key_heads), BackwardTile::kRows);
}

// Rows of all sequences and heads.
template <typename Spec>
__int128 rows_of(const Spec& spec) {
  return __int128{spec.packed ? spec.query_total : spec.batch * spec.query_length} *
         spec.query_heads;
}

struct RowLayout {
  __int128 rows;
  int64_t base, rest, delta;
  __int128 bytes = 0;

  template <typename Spec>
  explicit RowLayout(const Spec& spec) : rows(rows_of(spec)) {
    base = add(rows * 4);
    rest = add(rows * 4);
    delta = add(rows * 4);
  }

  // Of a part of a workspace; null for -1, what is not kept.
  static float* at(void* workspace, int64_t offset) {
    return offset < 0 ? nullptr
                      : reinterpret_cast<float*>(static_cast<char*>(workspace) + offset);
  }

  // `call_tiles`: of the kernel that runs, for each pair.
  template <typename Spec>
  RowStatistics statistics(const Spec& spec, int32_t phase, int32_t call_tiles,
                           void* workspace) const {
    RowStatistics s = {};
    s.base = at(workspace, base);
    s.rest = at(workspace, rest);
    s.delta = at(workspace, delta);
    s.row_tiles = int32_t(row_tiles(spec));
    const int64_t tiles =
        phase == kKeysPhase ? tiles_of(spec.key_length, kKeys) : int64_t{s.row_tiles};
    s.chunks = tiles > 0 ? int32_t(call_tiles / tiles) : 0;
    return s;
  }

 protected:
  int64_t add(__int128 size) {
    const int64_t at = int64_t(bytes);
    bytes += (size + 255) / 256 * 256;
    return at;
  }
};

}  // namespace fovea::pairs::cuda
