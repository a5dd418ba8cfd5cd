// How the work of a merge is cut for the CPU: what the planner picks and reserves, and the kernel uses.
#pragma once

#include "core/backend.h"
#include "ops/merge/merge.h"

namespace fovea::merge::cpu {

// Parts of a row that are read side by side.
constexpr int kTogether = 4;
// Rows of a tile, and elements of them, whose sums wait in L1 where there are more parts than that.
constexpr int64_t kRows = 128, kElements = 8192;

// Pick tiles; the spec is resolved.
int32_t plan_merge(const fovea_device_info& device, fovea_plan& plan);

// One item: positions [first, end) of heads [head, head_end) of a sequence.
struct Tile {
  int64_t batch, first, end, head, head_end;

  int64_t rows() const { return (end - first) * (head_end - head); }
};

Tile tile_of(const fovea_plan& plan, int64_t item);

// Whether the heads of a position lie closer in the parts than its neighbours do.
inline bool is_heads_first(const Spec& spec) {
  return spec.query_length <= 1 ||
         (spec.query_heads > 1 && spec.outs_stride[2] >= spec.outs_stride[3]);
}

// The sums of a row, on a 64-byte boundary.
inline int64_t row_of(const Spec& spec) { return (spec.value_head_dim + 15) / 16 * 16; }

// Of a worker: what is known of the rows of a tile, in the order in which it takes them.
struct Scratch {
  alignas(64) float lses[kRows];                 // of a part
  alignas(64) float base[kRows], inverse[kRows];  // the largest of all parts, and 1 / sum of powers
  alignas(64) float weights[kTogether][kRows];
  alignas(64) float sums[kElements];
  int64_t lses_at[kRows], outs_at[kRows], out_at[kRows];  // elements of the first part
};

}  // namespace fovea::merge::cpu
