// Tensor maps by cuTensorMapEncodeTiled, wherever it was found. Host code.
#pragma once

#include <cuda.h>

#include "core/tensor_map.h"

namespace fovea {

static_assert(sizeof(TensorMap) == sizeof(CUtensorMap) && alignof(TensorMap) == alignof(CUtensorMap));

using EncodeTiled = decltype(cuTensorMapEncodeTiled);

// Of boxes that an engine takes.
inline CUresult encode_tiled(EncodeTiled* function, const TensorBoxes& boxes, TensorMap& map) {
  cuuint64_t size[5], stride[5];
  cuuint32_t box[5], step[5];
  for (uint32_t d = 0; d < boxes.rank; ++d) {
    size[d] = boxes.size[d];
    if (d > 0) stride[d - 1] = boxes.stride[d];
    box[d] = boxes.box[d];
    step[d] = 1;
  }
  const CUtensorMapDataType type = boxes.element_bytes == 4   ? CU_TENSOR_MAP_DATA_TYPE_FLOAT32
                                   : boxes.element_bytes == 2 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                                              : CU_TENSOR_MAP_DATA_TYPE_UINT8;
  return function(reinterpret_cast<CUtensorMap*>(map.bytes), type, boxes.rank, const_cast<void*>(boxes.base), size,
                  stride, box, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
                  boxes.swizzle_bytes == 0 ? CU_TENSOR_MAP_SWIZZLE_NONE : CU_TENSOR_MAP_SWIZZLE_128B,
                  CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

}  // namespace fovea
