// How the kernels of the projection of sequences cut their work, and their shared memory, for planner and
// kernels alike. Why these numbers: cuda/README.md.
#pragma once

#include <algorithm>

#include "cuda/plan.h"
#include "ops/projection/projection.h"
#include "tile/precision.h"
#include "tile/rows.h"

namespace fovea::projection::cuda {

using namespace fovea::cuda;
using tile::Precision;

// Which product a kernel computes: out, dx, dweight.
enum class Product { kOut, kInput, kWeight };

enum ForwardPhase { kOutPhase, kOutSumPhase, kForwardPhases };
enum BackwardPhase {
  kDoutPhase,  // dout in the type of x, where it has another
  kInputPhase,
  kWeightPhase,
  kWeightSumPhase,
  kBackwardPhases,
};

// A block's part of a product: kRows rows by kColumns columns, 32 rows to a warp; of what is summed it takes
// kStepBytes of a row at a time, kStages of them on their way.
constexpr int kRows = 128, kColumns = 64, kWarps = 4, kThreads = 32 * kWarps;
constexpr int kStepBytes = 128, kStages = 3, kBlocks = 2;
// What is summed by itself before it joins the rest: the tensor cores cut every sum they add to. Constant,
// because bits hang on it.
constexpr int64_t kChunk = 1024;

constexpr int kRowBytes = kRows * kStepBytes, kStageBytes = kRowBytes + kColumns * kStepBytes;
constexpr int kSharedBytes = kStages * kStageBytes;
static_assert(kWarps * tile::kStagedBytes <= kSharedBytes);

constexpr int step_of(Precision precision) { return kStepBytes / (is_half(precision) ? 2 : 4); }

// Threads of the kernels that have an element each.
constexpr int kSumThreads = 256;

// How the products of a pass are cut into parts with partial sums of their own, 1 where nothing is: the chunks of
// out; those of the (sequence, head) pairs that dweight is a sum over, by sizes alone, since its bits hang on
// them.
inline int64_t chunks_of(int64_t length) { return std::max<int64_t>(1, tiles_of(length, kChunk)); }

inline int64_t tiles_of_out(const Spec& spec) {
  return tiles_of(spec.rank, kRows) * tiles_of(spec.head_dim, kColumns);
}
inline int64_t tiles_of_input(const Spec& spec) {
  return tiles_of(spec.length, kRows) * tiles_of(spec.head_dim, kColumns);
}
inline int64_t tiles_of_weight(const Spec& spec) {
  return tiles_of(spec.rank, kRows) * tiles_of(spec.length, kColumns);
}

// What a weight's gradient is a sum over.
inline int64_t pairs_of(const Spec& spec) { return spec.batch * spec.heads / weights_of(spec); }
inline int64_t pair_groups(const Spec& spec) {
  constexpr int64_t kWanted = 256, kMost = 32;  // blocks; groups, which each have a copy of dweight
  const int64_t tiles = std::max<int64_t>(1, weights_of(spec) * tiles_of_weight(spec));
  return std::clamp<int64_t>(tiles_of(kWanted, tiles), 1,
                             std::clamp<int64_t>(pairs_of(spec), 1, kMost));
}

inline bool converts_dout(const Spec& spec) { return spec.out_dtype != spec.dtype; }
inline int64_t dout_elements(const Spec& spec) {
  return spec.batch * spec.rank * spec.heads * spec.head_dim;
}

// What a backward pass keeps, in bytes: dout, if it has another type than x, then sums of groups of pairs.
struct BackwardLayout {
  int64_t sums;
  __int128 bytes;

  explicit BackwardLayout(const Spec& spec) {
    const __int128 dout =
        converts_dout(spec) ? dout_elements(spec) * element_bytes(spec.dtype) : 0;
    sums = int64_t((dout + 255) / 256 * 256);
    const int64_t groups = spec.has_dweight ? pair_groups(spec) : 1;
    bytes = sums +
            (groups == 1 ? 0 : __int128{groups} * weights_of(spec) * spec.rank * spec.length * 4);
  }
};

}  // namespace fovea::projection::cuda
