// Shared memory of the kernels of a linear fit, for planner and kernels alike. Why: cuda/README.md.
#pragma once

#include <algorithm>

#include "cuda/pairs/tiles.h"
#include "ops/distance/fit.h"

namespace fovea::distance::cuda {

using namespace fovea::pairs::cuda;

// Elements in float64 of the keys of a tile, and likewise of centres. Eight neighbouring rows have a pair of
// them in different banks.
struct FitTerms {
  static constexpr int kCount = FOVEA_MOST_FIT_DIM, kPitch = kCount + 2;
  static_assert(kCount % 4 == 0 && kPitch * 2 % 8 == 4);
  static constexpr int kBytes = 8 * kKeys * kPitch;
  static constexpr int kPanelBytes = 4 * BackwardTile::kRows * BackwardTile::kScorePitch;
};

// Of the kernels that find planes: the terms of rows' centres behind those of keys and then, from the
// beginning and one row beside the other, moments of rows and what solve_fit works in. Moments are sums of
// weights times products of two z, times z, and times 1; the latter two once more with g.
constexpr int kFitRows = BackwardTile::kRows;

struct FitMemory {
  int dim;
  FOVEA_EVERYWHERE constexpr int squares() const { return 0; }
  FOVEA_EVERYWHERE constexpr int sums() const { return triangle(dim, 0); }
  FOVEA_EVERYWHERE constexpr int total() const { return sums() + dim; }
  FOVEA_EVERYWHERE constexpr int gradient_sums() const { return total() + 1; }
  FOVEA_EVERYWHERE constexpr int gradient_total() const { return gradient_sums() + dim; }
  FOVEA_EVERYWHERE constexpr int work() const { return gradient_total() + 1; }
  FOVEA_EVERYWHERE constexpr int bytes() const {
    return 8 * kFitRows * (work() + fit_doubles(dim));
  }
};

using FitForwardTile = ForwardTile<kFitRows>;

inline int fit_shared_bytes(int tile_bytes, int dim) {
  return std::max(tile_bytes + FitTerms::kBytes + 8 * kFitRows * FitTerms::kPitch,
                  FitMemory{dim}.bytes());
}

// No block has more.
static_assert(BackwardTile::shared_bytes(0) + FitTerms::kBytes + 2 * FitTerms::kPanelBytes <=
              101376);
static_assert(FitMemory{FOVEA_MOST_FIT_DIM}.bytes() <= 101376);

}  // namespace fovea::distance::cuda
