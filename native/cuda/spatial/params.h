// What the kernels of spatial attention are given: one block, passed by value to every thread.
#pragma once

#include "cuda/image/walk.h"
#include "ops/spatial/operands.h"

namespace fovea::spatial::cuda {

using namespace fovea::cuda;

constexpr int kThreads = kImageThreads, kWarps = kImageWarps;

enum Phase {
  kFoldPhase,  // the maps; backward also dout * x, and the channel of the maximum
  kForwardScalePhase,
  kForwardPhases,
  kGatePhase = kForwardScalePhase,  // backward: gate, dz, and what a part adds to dweight and dbias
  kBackwardScalePhase,
  kSumPhase,  // dweight and dbias
  kBackwardPhases,
};

constexpr int kMaps = 2;
// Threads that share the convolution of a pixel, and how many pixels a block has at a time.
constexpr int kShare = 8, kConvolved = kThreads / kShare;
// Pixels of a part of the gate phase, and the most of any other.
constexpr int kGatePixels = 64, kMostPixels = 32 * kMostPacket;

// What images keep between phases, each [N, H W] but the maps. All but the maps are null in a
// forward pass.
struct Memory {
  float* maps;  // [N, kMaps, H W]
  float* products;
  int32_t* indices;
  float* gates;
  float* dz;
  float* sums;  // [gradients of weight and bias, parts of the gate phase]; null: none is asked for
};

struct SpatialParams {
  Spec spec;
  Inputs in;
  float* dweight;
  float* dbias;
  int64_t first_item, items;  // of the launch and its phase
  ImageWalk walk;             // fold: x, dout; scale: x, out; backward dout, dx
  int64_t pixels;             // of an image
  int32_t part;               // pixels of an item
  int64_t parts;              // of an image
  int64_t gate_items;         // of the gate phase
  float share;                // 1 / C
  Memory memory;
};

// Bytes of shared memory: what groups have folded, words of a Folded; numbers of the pixels of a
// part.
constexpr int kForwardWords = 2, kBackwardWords = 4;
constexpr int kFoldBytes = kForwardWords * kExchangeBytes;
constexpr int kBackwardFoldBytes = kBackwardWords * kExchangeBytes;
constexpr int kScaleBytes = 4 * kMostPixels, kBackwardScaleBytes = 2 * kScaleBytes;
constexpr int kGateBytes = 4 * (kGatePixels + kThreads), kSumBytes = 8 * kWarps;
static_assert(kMostPixels <= kThreads);

using SpatialKernel = void(SpatialParams);

SpatialKernel* fold_kernel();
SpatialKernel* backward_fold_kernel();
SpatialKernel* scale_kernel();
SpatialKernel* gate_kernel();
SpatialKernel* backward_scale_kernel();
SpatialKernel* sum_kernel();

}  // namespace fovea::spatial::cuda
