// How the work of a merge is cut for the CPU: what the planner picks and reserves, and the kernel uses.
#pragma once

#include <initializer_list>

#include "core/backend.h"
#include "ops/merge/merge.h"

namespace fovea::merge::cpu {

// Parts of a row that are read side by side.
constexpr int kTogether = 4;
// Of a tile: rows, and elements of them, whose sums wait in L2 where there are more parts than that.
constexpr int64_t kRows = 512, kElements = 32768;

// Pick tiles; the spec is resolved.
int32_t plan_merge(const fovea_device_info& device, fovea_plan& plan);

// The rows as the kernel takes them: sequences of one position each, as of a decoder, are the positions of one.
struct Grid {
  struct Steps {
    int64_t batch, position, head;
  };
  int64_t batch, length, heads;
  Steps outs, out, lses, lse;

  explicit Grid(const Spec& spec)
      : batch(spec.batch),
        length(spec.query_length),
        heads(spec.query_heads),
        outs{spec.outs_stride[1], spec.outs_stride[2], spec.outs_stride[3]},
        out{spec.out_stride[0], spec.out_stride[1], spec.out_stride[2]},
        lses{spec.lses_stride[1], 1, spec.lses_stride[2]},
        lse{spec.lse_stride[0], 1, spec.lse_stride[1]} {
    if (length != 1) return;
    length = batch;
    batch = 1;
    for (Steps* steps : {&outs, &out, &lses, &lse}) steps->position = steps->batch;
  }

  // Whether the heads of a position lie closer in the parts than its neighbours do.
  bool is_heads_first() const { return length <= 1 || (heads > 1 && outs.position >= outs.head); }
};

// One item: positions [first, end) of heads [head, head_end) of a sequence.
struct Tile {
  int64_t batch, first, end, head, head_end;

  int64_t positions() const { return end - first; }
  int64_t heads() const { return head_end - head; }
  int64_t rows() const { return positions() * heads(); }
};

// Element 0 of its first row.
inline int64_t at(const Grid::Steps& steps, const Tile& tile) {
  return tile.batch * steps.batch + tile.first * steps.position + tile.head * steps.head;
}

Tile tile_of(const fovea_plan& plan, const Grid& grid, int64_t item);

// The sums of a row, on a 64-byte boundary.
inline int64_t row_of(const Spec& spec) { return (spec.value_head_dim + 15) / 16 * 16; }

// Of a worker: what is known of the rows of a tile, head after head, as lses lie.
struct Scratch {
  alignas(64) float lses[kRows];                  // of a part
  alignas(64) float base[kRows], inverse[kRows];  // the largest of all parts, and 1 / sum of powers
  alignas(64) float weights[kTogether][kRows];
  alignas(64) float sums[kElements];  // row after row, as the tile takes them
};

}  // namespace fovea::merge::cpu
