// What the kernels of the projection of sequences are given: one block, passed by value to every thread.
#pragma once

#include "cuda/projection/tiles.h"

namespace fovea::projection::cuda {

// Rows of a tensor in global memory, and how they come to shared memory.
struct Source {
  const void* at;
  int64_t stride[3];  // of [B, rows, H], or of weight [0, R, H]
  uint8_t copy_bytes;
};

// Where rows go: a tensor, or partial sums.
struct Target {
  void* at;
  int64_t stride[3];
  int32_t dtype;
  bool add;
};

struct ProductParams {
  int64_t first_item;  // of this launch: block 0 does it
  Source left, right;
  Target out;
  const int32_t* lengths;
  int32_t batch, heads, length, rank, head_dim;
  // Tiles of a product, and its parts: chunks, or groups of pairs.
  int32_t row_tiles, column_tiles, parts;
  int64_t part_stride;  // between their sums; 0 where there is one
  int32_t weights;      // of dweight: its heads
};

// Adds up `parts` of out [B, R, H, D] or dweight [H, R, S], elements of `width` in a row.
struct SumParams {
  int64_t first_item, elements;
  const float* parts;
  int64_t part_stride;
  int32_t count;
  int32_t heads, rank, width;
  const int32_t* lengths;  // of out, whose chunks are as many as its sequence has
  int32_t length;
  bool chunks;
  Target out;
};

// Rows [B, rows, H] of `width` elements in another type, dense.
struct ConvertParams {
  int64_t first_item, elements;
  Source from;
  int32_t from_dtype;
  int32_t rows, heads, width;
  void* to;
  int32_t dtype;
};

using ProductKernel = void(ProductParams);
using SumKernel = void(SumParams);
using ConvertKernel = void(ConvertParams);

ProductKernel* out_kernel(Precision precision);
ProductKernel* input_kernel(Precision precision);
ProductKernel* weight_kernel(Precision precision);
SumKernel* sum_kernel();
ConvertKernel* convert_kernel();

}  // namespace fovea::projection::cuda
