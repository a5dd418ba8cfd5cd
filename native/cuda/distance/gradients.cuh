// The gradients of a backward tile's scores.
#pragma once

#include "cuda/distance/scores.cuh"
#include "cuda/pairs/backward_tile.cuh"

namespace fovea::distance::cuda {

using BackwardScores = GradientScores<Scores<BackwardTile>, BackwardParams>;

}  // namespace fovea::distance::cuda
