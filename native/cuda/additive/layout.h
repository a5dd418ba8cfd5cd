// Where the backward pass keeps what in its workspace.
#pragma once

#include "cuda/pairs/layout.h"
#include "ops/additive/additive.h"

namespace fovea::additive::cuda {

using namespace fovea::pairs::cuda;

struct BackwardLayout : RowLayout {
  int64_t sums;  // by pair, tile of rows and head: of dbias, then of dweight; -1 = not kept

  explicit BackwardLayout(const Spec& spec) : RowLayout(spec) {
    const __int128 tiles = __int128{spec.batch} * spec.key_heads * row_tiles(spec);
    sums = spec.has_dweight || spec.has_dbias
               ? add(tiles * heads_of(spec, BackwardTile::kRows) * 2 * spec.head_dim * 4)
               : -1;
  }
};

}  // namespace fovea::additive::cuda
