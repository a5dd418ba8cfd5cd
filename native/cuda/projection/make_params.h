// The blocks of parameters that kernels are given, from a plan, a call and its operands.
#pragma once

#include "cuda/projection/params.h"

namespace fovea::projection::cuda {

inline Precision precision_of(int32_t dtype) {
  return dtype == FOVEA_FLOAT32   ? Precision::kFloat32
         : dtype == FOVEA_FLOAT16 ? Precision::kFloat16
                                  : Precision::kBfloat16;
}

// Rows [B, rows, H] of a tensor like x.
inline Source source_of(const Spec& spec, const void* at, const int64_t (&stride)[3], int64_t rows,
                        int32_t dtype) {
  Source s = {at, {stride[0], stride[1], stride[2]}, 0};
  s.copy_bytes = tile::copy_bytes(at,
                                  {tile::used(stride[0], spec.batch), tile::used(stride[1], rows),
                                   tile::used(stride[2], spec.heads)},
                                  element_bytes(dtype));
  return s;
}

inline Source weight_of(const Spec& spec, const void* at) {
  return source_of(spec, at, {0, spec.weight_stride[1], spec.weight_stride[0]}, spec.rank,
                   spec.dtype);
}

inline Target out_of(const Spec& spec, const ForwardOperands& operands) {
  const int64_t(&stride)[3] = spec.out_stride;
  return {operands.out, {stride[0], stride[1], stride[2]}, spec.out_dtype, false};
}

inline Target dweight_of(const Spec& spec, const BackwardOperands& operands) {
  return {operands.dweight,
          {0, spec.dweight_stride[1], spec.dweight_stride[0]},
          FOVEA_FLOAT32,
          spec.accumulate != 0};
}

inline ProductParams product_params(const fovea_plan& plan, const fovea_call& call,
                                    const int32_t* lengths) {
  const Spec& spec = spec_of(plan);
  ProductParams p = {};
  p.first_item = call.begin;
  p.lengths = lengths;
  p.batch = int32_t(spec.batch);
  p.heads = int32_t(spec.heads);
  p.length = int32_t(spec.length);
  p.rank = int32_t(spec.rank);
  p.head_dim = int32_t(spec.head_dim);
  p.parts = 1;
  return p;
}

inline ProductParams out_params(const fovea_plan& plan, const fovea_call& call,
                                const ForwardOperands& operands, void* workspace) {
  const Spec& spec = spec_of(plan);
  ProductParams p = product_params(plan, call, operands.lengths);
  p.left = weight_of(spec, operands.weight);
  p.right = source_of(spec, operands.x, spec.x_stride, spec.length, spec.dtype);
  p.row_tiles = int32_t(tiles_of(spec.rank, kRows));
  p.column_tiles = int32_t(tiles_of(spec.head_dim, kColumns));
  p.out = out_of(spec, operands);
  if (plan.items[kOutSumPhase] > 0) {
    p.parts = int32_t(chunks_of(spec.length));
    const int64_t head = spec.rank * spec.head_dim;
    p.part_stride = spec.batch * spec.heads * head;
    p.out = {workspace, {spec.heads * head, spec.head_dim, head}, FOVEA_FLOAT32, false};
  }
  return p;
}

// dout, or the workspace's copy in the type of x.
inline Source dout_of(const Spec& spec, const BackwardOperands& operands, void* workspace) {
  if (!converts_dout(spec)) {
    return source_of(spec, operands.dout, spec.dout_stride, spec.rank, spec.dtype);
  }
  const int64_t row = spec.heads * spec.head_dim;
  return source_of(spec, workspace, {spec.rank * row, row, spec.head_dim}, spec.rank, spec.dtype);
}

inline ConvertParams convert_params(const fovea_plan& plan, const fovea_call& call,
                                    const BackwardOperands& operands, void* workspace) {
  const Spec& spec = spec_of(plan);
  ConvertParams c = {};
  c.first_item = call.begin;
  c.elements = dout_elements(spec);
  c.from = source_of(spec, operands.dout, spec.dout_stride, spec.rank, spec.out_dtype);
  c.from_dtype = spec.out_dtype;
  c.rows = int32_t(spec.rank);
  c.heads = int32_t(spec.heads);
  c.width = int32_t(spec.head_dim);
  c.to = workspace;
  c.dtype = spec.dtype;
  return c;
}

inline ProductParams input_params(const fovea_plan& plan, const fovea_call& call,
                                  const BackwardOperands& operands, void* workspace) {
  const Spec& spec = spec_of(plan);
  ProductParams p = product_params(plan, call, operands.lengths);
  p.left = weight_of(spec, operands.weight);
  p.right = dout_of(spec, operands, workspace);
  p.row_tiles = int32_t(tiles_of(spec.length, kRows));
  p.column_tiles = int32_t(tiles_of(spec.head_dim, kColumns));
  p.out = {operands.dx,
           {spec.dx_stride[0], spec.dx_stride[1], spec.dx_stride[2]},
           spec.gradient_dtype,
           false};
  return p;
}

inline ProductParams weight_params(const fovea_plan& plan, const fovea_call& call,
                                   const BackwardOperands& operands, void* workspace) {
  const Spec& spec = spec_of(plan);
  ProductParams p = product_params(plan, call, operands.lengths);
  p.left = dout_of(spec, operands, workspace);
  p.right = source_of(spec, operands.x, spec.x_stride, spec.length, spec.dtype);
  p.row_tiles = int32_t(tiles_of(spec.rank, kRows));
  p.column_tiles = int32_t(tiles_of(spec.length, kColumns));
  p.weights = int32_t(weights_of(spec));
  p.parts = int32_t(pair_groups(spec));
  p.out = dweight_of(spec, operands);
  if (p.parts > 1) {
    const int64_t head = spec.rank * spec.length;
    p.part_stride = weights_of(spec) * head;
    void* const sums = static_cast<char*>(workspace) + BackwardLayout(spec).sums;
    p.out = {sums, {0, spec.length, head}, FOVEA_FLOAT32, false};
  }
  return p;
}

// Of the products that are given, to `out`.
inline SumParams sum_params(const ProductParams& p, const fovea_call& call, bool chunks,
                            const Target& out) {
  SumParams s = {};
  s.first_item = call.begin;
  s.parts = static_cast<const float*>(p.out.at);
  s.part_stride = s.elements = p.part_stride;
  s.count = p.parts;
  s.heads = chunks ? p.heads : p.weights;
  s.rank = p.rank;
  s.width = chunks ? p.head_dim : p.length;
  s.lengths = p.lengths;
  s.length = p.length;
  s.chunks = chunks;
  s.out = out;
  return s;
}

}  // namespace fovea::projection::cuda
