// CUDA return codes as Fovea statuses with a text.
#pragma once

#include <cuda_runtime_api.h>
#include <fovea.h>

#include <cstdio>

namespace fovea {

// Whether the error is sticky: the context is corrupt, and every later call in it fails too.
inline bool is_sticky(cudaError_t code) {
  switch (code) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
      return true;
    default:
      return false;
  }
}

inline int device_failure(cudaError_t code, const char* call, char* error, size_t error_size) {
  std::snprintf(error, error_size, "%s: %s (%s)", call, cudaGetErrorName(code),
                cudaGetErrorString(code));
  return is_sticky(code) ? FOVEA_DEVICE_LOST : FOVEA_DEVICE_ERROR;
}

}  // namespace fovea

// Returns from the calling function, which has `error` and `error_size`, unless the call succeeds.
#define FOVEA_CHECK_CUDA(call)                                              \
  do {                                                                      \
    const cudaError_t fovea_code = (call);                                  \
    if (fovea_code != cudaSuccess)                                          \
      return ::fovea::device_failure(fovea_code, #call, error, error_size); \
  } while (0)
