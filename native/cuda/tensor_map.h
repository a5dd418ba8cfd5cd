// Tensor maps, by the driver. Host code.
#pragma once

#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstdio>

#include "core/tensor_map.h"
#include "cuda_error.h"

namespace fovea {

static_assert(sizeof(TensorMap) == sizeof(CUtensorMap) && alignof(TensorMap) == alignof(CUtensorMap));

// Returns a FOVEA_* status.
inline int encode_boxes(const TensorBoxes& boxes, TensorMap& map, char* error, size_t error_size) {
  char why[120];
  if (!check_boxes(boxes, why, sizeof why)) {
    std::snprintf(error, error_size, "a tensor map %s", why);
    return FOVEA_INVALID_ARGUMENT;
  }
  // Asked of the driver that is loaded, so that the library itself does not link libcuda.
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
  FOVEA_CHECK_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                                    cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess) {
    std::snprintf(error, error_size,
                  "the driver has no cuTensorMapEncodeTiled: it is older than CUDA 12");
    return FOVEA_UNSUPPORTED;
  }
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
  const CUresult result = reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(function)(
      reinterpret_cast<CUtensorMap*>(map.bytes), type, boxes.rank, const_cast<void*>(boxes.base), size, stride,
      box, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
      boxes.swizzle_bytes == 0 ? CU_TENSOR_MAP_SWIZZLE_NONE : CU_TENSOR_MAP_SWIZZLE_128B,
      CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    std::snprintf(error, error_size, "cuTensorMapEncodeTiled: CUresult %d", static_cast<int>(result));
    return FOVEA_INVALID_ARGUMENT;
  }
  return FOVEA_OK;
}

// A dense row-major bfloat16 matrix, copied in boxes of `box_rows` rows and 64 columns: 128 bytes, one row of the
// 128-byte swizzle.
inline int encode_matrix(TensorMap& map, const void* matrix, std::uint64_t rows, std::uint64_t columns,
                         std::uint32_t box_rows, char* error, size_t error_size) {
  return encode_boxes({matrix, 2, 2, {columns, rows}, {2, columns * 2}, {64, box_rows}, 128}, map, error,
                      error_size);
}

}  // namespace fovea
