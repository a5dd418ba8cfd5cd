// Where both passes keep what in their workspace, and phases of the forward.
#pragma once

#include "cuda/distance/fit_tile.h"
#include "cuda/pairs/layout.h"
#include "ops/distance/distance.h"

namespace fovea::distance::cuda {

// The planes of linear fits, then out; of constant fits out alone.
enum ForwardPhase { kFitsPhase, kOutPhase };

inline bool finds_fits(const fovea_plan& plan, int32_t phase) {
  return is_linear(spec_of(plan)) && phase == kFitsPhase;
}

// Of shared memory for the sums of the warps of kSumsPhase.
constexpr int kSumsBytes = 8 * kWarps;

// And of what finds planes and then of what has them, in their order.
inline int fits_shared_bytes(const Spec& spec) {
  return fit_shared_bytes(FitForwardTile::kOwnAt, int(spec.head_dim));
}
template <typename Tile>
int out_shared_bytes(const Tile& tile, const Spec& spec) {
  return tile.shared_bytes(0, int(spec.value_head_dim)) + (is_linear(spec) ? FitTerms::kBytes : 0);
}
inline int backward_shared_bytes(const Spec& spec, int32_t phase) {
  const int tile = BackwardTile::shared_bytes(0);
  if (!is_linear(spec)) return tile;
  if (phase == kRowsPhase) return fit_shared_bytes(tile, int(spec.head_dim));
  return tile + FitTerms::kBytes + (phase == kKeysPhase ? 2 * FitTerms::kPanelBytes : 0);
}

// In the workspace, of the planes of all rows.
inline __int128 fits_bytes(const Spec& spec) {
  return rows_of(spec) * FitRow{int(spec.head_dim)}.doubles() * 8;
}

struct BackwardLayout : RowLayout {
  int64_t moments;  // by row; -1 = not kept
  int64_t fits;     // likewise

  explicit BackwardLayout(const Spec& spec) : RowLayout(spec) {
    moments = spec.has_dbandwidth ? add(rows * 4) : -1;
    fits = is_linear(spec) ? add(fits_bytes(spec)) : -1;
  }
};

}  // namespace fovea::distance::cuda
