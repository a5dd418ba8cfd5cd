// Rows of tensors like query from global memory to swizzled tiles in shared memory.
#pragma once

#include "cuda/attention/params.h"
#include "cuda/softmax/rows.cuh"
#include "tile/copy.cuh"

namespace fovea::attention::cuda {

// The first `count` rows of a tile in a tensor like query, of `width` elements each; offset_of(row) is where
// one begins.
template <int kRows, int kWidth, int kThreads, typename Element, typename Offset>
FOVEA_DEVICE void load_rows_tile(uint32_t to, const Element* tensor, int width, RowCopy copy,
                                 int32_t count, Offset offset_of) {
  using Copy = tile::TileCopy<kRows, kWidth, kThreads, Element>;
  const uint32_t thread = tile::thread_anew();
  const uint32_t address = Copy::first_address(to, thread);
  const Element* const base = tensor + Copy::first_column(thread);
  const bool whole = copy.whole && count == kRows;
  FOVEA_UNROLL
  for (int i = 0; i < Copy::kSteps; ++i) {
    const uint32_t row = Copy::first_row(thread) + i * Copy::kStep;
    const uint32_t place = address + i * Copy::kStep * Copy::Swizzle::kRowBytes;
    const bool present = int32_t(row) < count;
    const Element* const from = present ? base + offset_of(row) : tensor;
    if (whole) {
      Copy::copy_whole_row(place, from);
    } else {
      Copy::copy_row(place, from, present ? width : 0, copy.bytes);
    }
  }
}

// The rows of a block.
template <int kRows, int kWidth, int kThreads, typename Element>
FOVEA_DEVICE void load_rows_tile(uint32_t to, const Element* tensor, const int64_t (&stride)[3],
                                 int width, RowCopy copy, const AttentionRows& rows) {
  load_rows_tile<kRows, kWidth, kThreads>(to, tensor, width, copy, rows.count, [&](uint32_t row) {
    return rows.offset(stride, rows.position(row), rows.head(row));
  });
}

}  // namespace fovea::attention::cuda
