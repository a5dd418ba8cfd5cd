// The kernels of one variant as functions with names that a driver or a test looks up. Their only
// argument is the block of parameters.
#pragma once

#include "cuda/attention/backward_keys.cuh"
#include "cuda/attention/forward.cuh"
#include "cuda/attention/warpgroup_forward.cuh"
#include "variants.h"

#define FOVEA_FORWARD_VARIANT(function, ...)                                                    \
  namespace fovea::attention::cuda {                                                            \
  constexpr AttentionVariant function##_tile = forward_variant(__VA_ARGS__);                    \
  extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(                                                  \
      function##_tile.tile.threads(),                                                           \
      function##_tile.tile.blocks) void function(const AttentionParams p) {                     \
    AttentionForward<function##_tile>(p).run();                                                 \
  }                                                                                             \
  }

// With the kernel that makes dquery of the sums, for whoever checks them.
#define FOVEA_BACKWARD_KEYS_VARIANT(function, ...)                                              \
  namespace fovea::attention::cuda {                                                            \
  constexpr BackwardVariant function##_tile = backward_keys_variant(__VA_ARGS__);               \
  extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(                                                  \
      function##_tile.tile.keys.threads(),                                                      \
      function##_tile.tile.keys.blocks) void function(const BackwardParams b) {                 \
    BackwardKeys<function##_tile>(b).run();                                                     \
  }                                                                                             \
  extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kRowThreads,                                      \
                                              1) void function##_convert(const BackwardParams b) { \
    convert_sums<function##_tile>(b);                                                        \
  }                                                                                             \
  }

#define FOVEA_WARPGROUP_VARIANT(function, ...)                                                  \
  namespace fovea::attention::cuda {                                                            \
  constexpr WarpgroupVariant function##_tile = warpgroup_variant(__VA_ARGS__);                  \
  static_assert(fits(function##_tile));                                                         \
  extern "C" FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(function##_tile.tile.threads(), 1) void function( \
      FOVEA_GRID_CONSTANT WarpgroupParams p) {                                                  \
    run_warpgroups<function##_tile>(p);                                                         \
  }                                                                                             \
  }
