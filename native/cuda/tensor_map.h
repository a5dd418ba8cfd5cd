// Tensor maps: what the copy engine needs to know of a tensor in global memory. Host code.
#pragma once

#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstdio>

#include "cuda_error.h"

namespace fovea {

// A dense row-major bfloat16 matrix, copied in boxes of `box_rows` rows and 64 columns: 128 bytes, one row of the
// 128-byte swizzle. Returns a FOVEA_* status.
inline int encode_matrix(CUtensorMap* map, const void* matrix, std::uint64_t rows,
                         std::uint64_t columns, std::uint32_t box_rows, char* error,
                         size_t error_size) {
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

  const cuuint64_t size[] = {columns, rows};
  const cuuint64_t row_bytes[] = {columns * 2};
  const cuuint32_t box[] = {64, box_rows};
  const cuuint32_t step[] = {1, 1};
  const CUresult result = reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(function)(
      map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(matrix), size, row_bytes, box,
      step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
      CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    std::snprintf(error, error_size, "cuTensorMapEncodeTiled: CUresult %d",
                  static_cast<int>(result));
    return FOVEA_INVALID_ARGUMENT;
  }
  return FOVEA_OK;
}

}  // namespace fovea
