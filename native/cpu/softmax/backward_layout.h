// How a backward pass cuts its work, and what of its rows the workers share.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/block.h"
#include "cpu/softmax/row_tiles.h"
#include "cpu/softmax/sequences.h"
#include "cpu/tier.h"

namespace fovea::cpu {

enum RowsAndKeys {
  kRowPhase,    // of each row: its delta, and its lse in units of log2
  kKeyPhase,    // dkey, dvalue, and what each chunk of keys adds to dquery
  kQueryPhase,  // dquery, from these
  kFirstOwnPhase,
};

// No tile is larger.
constexpr int kMostTileRows = 96, kMostTileKeys = 256;

// Rows in an item of kRowPhase and kQueryPhase.
constexpr int64_t kRowTile = 512;

// The tiles of keys of a sequence are dealt out to so many items, one for each `keys` of them. Each item
// has a dquery of its own, whence the limit. A function of the sequence's own length: its bits depend on
// nothing else.
inline int64_t key_chunks(int64_t key_length, int64_t keys) {
  return std::min<int64_t>((key_length + keys - 1) / keys, 4);
}

// Sets the items of the phases that every operation has; `chunks` are those of the longest sequence.
template <typename Spec>
void plan_rows_and_keys(const Spec& spec, int64_t chunks, fovea_plan& plan) {
  plan.items[kRowPhase] = RowTiles(spec, kRowTile).count() * spec.key_heads;
  plan.items[kKeyPhase] = chunks * spec.batch * spec.key_heads;
  plan.items[kQueryPhase] = plan.items[kRowPhase];
}

// An odd number of cache lines, so that a column of elements meets every set of the cache.
inline int64_t apart(int64_t count) { return ((count + 15) / 16 | 1) * 16; }

// What the workers of one run share, in floats, each part on a 64-byte boundary. Rows are those of
// rows.h; the rows of one sequence and key head lie together.
struct RowWorkspace {
  int64_t rows;
  int64_t query_row;         // of a row of dqueries
  int64_t lse, rest, delta;  // log2 of a row's sum is lse + rest
  int64_t dqueries;          // for each chunk, all rows
  __int128 total = 0;

  template <typename Spec>
  RowWorkspace(const Spec& spec, int64_t chunks, int isa) {
    const int64_t lanes = kTiers[isa].lanes;
    rows = (spec.packed ? spec.query_total : spec.batch * spec.query_length) * spec.query_heads;
    query_row = (spec.head_dim + lanes - 1) / lanes * lanes;
    lse = reserve(rows);
    rest = reserve(rows);
    delta = reserve(rows);
    dqueries = reserve(__int128{chunks} * rows * query_row);
  }

  int64_t reserve(__int128 count) {
    const int64_t at = int64_t(total);
    total += (count + 15) / 16 * 16;
    return at;
  }

  // The first row of a sequence and key head.
  template <typename Spec>
  int64_t first_row(const Spec& spec, const Sequence& sequence, int64_t batch,
                    int64_t key_head) const {
    const int64_t position = spec.packed ? sequence.query_start : batch * spec.query_length;
    return position * spec.query_heads +
           key_head * (spec.query_heads / spec.key_heads) * sequence.query_length;
  }
};

// Sets the bytes of both memories, unless nobody could have them.
template <typename Spec>
int32_t plan_memory(const Spec& spec, const RowWorkspace& workspace, int64_t scratch,
                    fovea_plan& plan) {
  if (workspace.total > (__int128{1} << 60)) {
    return fail(plan.error, FOVEA_INVALID_ARGUMENT,
                "the gradients of %lld rows and %lld heads need more than 2^62 bytes of workspace",
                (long long)workspace.rows, (long long)spec.query_heads);
  }
  plan.workspace_bytes = int64_t(workspace.total) * int64_t{sizeof(float)};
  plan.scratch_bytes = scratch * int64_t{sizeof(float)};
  return FOVEA_OK;
}

}  // namespace fovea::cpu
