// The gradients of a backward tile's scores.
#pragma once

#include "cuda/distance/fit_scores.cuh"
#include "cuda/pairs/backward_tile.cuh"

namespace fovea::distance::cuda {

using BackwardScores = GradientScores<Scores<BackwardTile>, BackwardParams>;
using BackwardFitScores = GradientScores<FitScores<BackwardTile>, BackwardParams>;

}  // namespace fovea::distance::cuda
