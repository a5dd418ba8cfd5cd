// What the kernels of the backward pass are given.
#pragma once

#include "cuda/attention/params.h"
#include "ops/attention/row_operands.h"

namespace fovea::attention::cuda {

// Where the gradient of a row operand goes, and the first item of its phase that is for it.
struct RowSums {
  float* to;  // null: not wanted
  int64_t stride[3];
  int64_t begin;
  bool all_batches, all_heads, all_queries;
};

struct BackwardParams : BackwardOperands {
  // Inputs and options of the forward. out and lse are inputs here, weights is null; first_item and
  // tiles are those of the kernel that runs.
  AttentionParams forward;
  TileLists key_lists;  // of the keys kernel's tiles; forward.lists are of the others'

  const void* dout_factor;  // dout, gated, in the type of query: the caller's, or the workspace's copy
  // The workspace, by row: lse in units of log2, or one of the constants in backward_rows.cuh; where it is
  // split, the highest score and what the logarithm of the row's sum is above it, in units of scores;
  // for products of float16 the 2-norm of dout, else null; <dout, out>; sums of dquery, or null if none are
  // kept; dout in the type of query and gated, or null if it is so already.
  float* lse2;
  float* highest;
  float* rest;
  float* norm;
  float* delta;
  float* dquery_sums;
  void* dout_copy;

  int64_t dout_factor_stride[3];
  RowSums row_sums[kRowOperands];
  // The first items of their phase that are for drelative_table, and for dmodifier_table.
  int64_t table_begin, loads_begin;
  int64_t gates_begin;  // of its own phase, for dkey_gates
  // The workspace: sums of dcontent_bias of each sequence and tile of keys, and of dposition_bias of each tile of
  // distances, a row for each head.
  float* content_parts;
  float* position_parts;
  int64_t content_count, position_count;  // of these parts
  int64_t head_rows;  // of the workspace, for each key head
  int32_t padding;    // of them behind each sequence
  int32_t sum_width;  // floats of a row of dquery_sums
  bool general;  // the variant's: its scores are in natural units
  RowCopy dout_rows;  // of dout_factor, as AttentionParams::query_copy
};

using BackwardKernel = void(BackwardParams);

}  // namespace fovea::attention::cuda
