// What the kernels of channel attention are given: one block, passed by value to every thread.
#pragma once

#include "cuda/image/walk.h"
#include "ops/channel/operands.h"

namespace fovea::channel::cuda {

using namespace fovea::cuda;

constexpr int kThreads = kImageThreads, kWarps = kImageWarps;

enum Phase {
  kPoolPhase,    // sums over the pixels of a part of an image: of x, backward also of dout * x
  kHiddenPhase,  // means and hidden units
  kGatePhase,    // gates, and backward dz2
  kForwardScalePhase,
  kForwardPhases,
  kHiddenGradientPhase = kForwardScalePhase,  // dz1
  kMeanGradientPhase,  // what dx has of the means; gradients of weights and biases
  kBackwardScalePhase,
  kBackwardPhases,
};

// A layer: a warp has a row of it, a block kLayerRows, for up to kLayerImages images, which share
// what is read of the weight. Of what it multiplies kLayerPart elements are in shared memory at a
// time.
constexpr int kLayerRows = kWarps, kLayerImages = 4, kLayerPart = 512;
// Its transpose: a block has kColumns columns, 32 bytes of a row, and a thread every kRowGroups-th
// row.
constexpr int kColumns = 8, kRowGroups = kThreads / kColumns;
constexpr int kLayerBytes = 4 * kLayerImages * kLayerPart;
static_assert(4 * kLayerImages * kThreads <= kLayerBytes);

// A block's part of an image: `block` channels, `chunk` pixels.
struct Parts {
  int64_t block, blocks, chunk, chunks;
};

// What images keep between phases, each [N, ...].
struct Memory {
  float* sums;      // [chunks, C]: of chunks of the pool phase
  float* products;  // likewise; null in a forward pass, as all that follow but hidden and gate
  float* hidden;    // [R]
  float* gate;      // [C]
  float* mean;      // [C]
  float* dz1;       // [R]
  float* dz2;       // [C]
  float* add;       // [C], to dx
};

struct ChannelParams {
  Spec spec;
  Inputs in;
  float* dweight1;
  float* dbias1;
  float* dweight2;
  float* dbias2;
  int32_t phase;
  int64_t first_item, items;  // of the launch and its phase
  ImageWalk walk;             // pool: x, dout; scale: x, out; backward dout, dx
  Parts parts;                // of the phase
  int64_t chunks;             // of the pool phase
  Memory memory;
  float share;                // 1 / (H W)
  int64_t layer_items;        // of the mean gradient phase; elements of weights are the others
  int64_t first_weight_items;  // of those, the ones of weight1 and bias1
};

using ChannelKernel = void(ChannelParams);

ChannelKernel* pool_kernel();
ChannelKernel* backward_pool_kernel();
ChannelKernel* layer_kernel();
ChannelKernel* backward_layer_kernel();
ChannelKernel* scale_kernel();

}  // namespace fovea::channel::cuda
