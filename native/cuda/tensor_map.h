// Tensor maps, by the driver. Host code.
#pragma once

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstdint>
#include <cstdio>

#include "cuda_error.h"
#include "encode_tiled.h"

namespace fovea {

// Asked of the driver that is loaded, so that the library itself does not link libcuda; and asked once, not for every
// map of every launch. Returns a FOVEA_* status.
inline int find_encode_tiled(EncodeTiled*& function, char* error, size_t error_size) {
  static std::atomic<EncodeTiled*> known{nullptr};
  function = known.load(std::memory_order_acquire);
  if (function != nullptr) return FOVEA_OK;
  void* symbol = nullptr;
  cudaDriverEntryPointQueryResult found;
  FOVEA_CHECK_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &symbol, 12000,
                                                    cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess) {
    std::snprintf(error, error_size,
                  "the driver has no cuTensorMapEncodeTiled: it is older than CUDA 12");
    return FOVEA_UNSUPPORTED;
  }
  function = reinterpret_cast<EncodeTiled*>(symbol);
  known.store(function, std::memory_order_release);
  return FOVEA_OK;
}

// Returns a FOVEA_* status.
inline int encode_boxes(const TensorBoxes& boxes, TensorMap& map, char* error, size_t error_size) {
  char why[120];
  if (!check_boxes(boxes, why, sizeof why)) {
    std::snprintf(error, error_size, "a tensor map %s", why);
    return FOVEA_INVALID_ARGUMENT;
  }
  EncodeTiled* function;
  if (int status = find_encode_tiled(function, error, error_size)) return status;
  const CUresult result = encode_tiled(function, boxes, map);
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
