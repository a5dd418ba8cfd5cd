// The phase of the backward pass that adds up dbias.
#pragma once

#include <algorithm>

#include "cpu/attention/backward_scores.h"

namespace fovea::attention::cpu::FOVEA_TIER {

// Adds the rows to dbias, for one tile of keys.
inline void bias_item(const BackwardRun& run, const BackwardWork& work) {
  const Spec& spec = spec_of(run.plan);
  const int64_t (&stride)[3] = spec_of(run.plan).dbias_stride;
  const int tile_rows = run.plan.tile_queries, tile_keys = run.plan.tile_keys;
  const int64_t j = work.keys * tile_keys;
  const int keys = int(std::min<int64_t>(tile_keys, work.sequence.key_length - j));
  if (keys <= 0) return;
  BackwardTile tile(run, work);
  float* const none[kRowOperands] = {};
  const int64_t group = spec.query_heads / spec.key_heads;
  const int64_t begin = std::max(work.begin, tile.row_low(j));
  const int64_t end = std::min(work.end, tile.row_high(j + keys - 1));
  bool loaded = false;
  for (int64_t row = begin; row < end; row += tile_rows) {
    const int rows = int(std::min<int64_t>(tile_rows, end - row));
    if (tile.next_key(row, row + rows, j) >= j + keys) continue;
    if (!loaded) tile.load_keys(j, keys);
    loaded = true;
    tile.load_rows(row, rows);
    tile.weigh(true, none);
    const Panel<float> ds = tile.gradients();
    const auto add = [keys](const float* from, float* to) {
      for (int k = 0; k < keys; ++k) to[k] += from[k];
    };
    // Where queries are summed over, first within the tile: fewer roundings in the large sum.
    int64_t distinct = rows;
    if (stride[2] == 0) {
      distinct = std::min<int64_t>(rows, group);
      for (int64_t r = distinct; r < rows; ++r) {
        add(ds.at + r * ds.row, ds.at + r % distinct * ds.row);
      }
    }
    for (int64_t r = 0; r < distinct; ++r) {
      add(ds.at + r * ds.row, run.operands.dbias + tile.score_offset(stride, row + r) + j);
    }
  }
}

}  // namespace fovea::attention::cpu::FOVEA_TIER
