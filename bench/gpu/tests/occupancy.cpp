// device.cpp on a CUDA runtime that is only described: of a kernel with a tile made for two blocks, the
// environment's BLOCKS share a multiprocessor whose shared memory is SHARED, where the kernel asks for
// all of that, else one. Prints what prepare says.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>

#include "cuda/device.h"

namespace {

constexpr int kSharedBytes = 80 << 10;

bool all_shared = false;

int number(const char* name) { return std::atoi(std::getenv(name)); }

}  // namespace

extern "C" {

cudaError_t cudaGetDevice(int* index) {
  *index = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  properties->sharedMemPerBlockOptin = size_t(number("SHARED"));
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrReservedSharedMemoryPerBlock:
      *value = 1024;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = number("SHARED");
      return cudaSuccess;
    default:
      *value = 0;
      return cudaSuccess;
  }
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  *attributes = {};
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute attribute, int value) {
  all_shared |= attribute == cudaFuncAttributePreferredSharedMemoryCarveout &&
                value == cudaSharedmemCarveoutMaxShared;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int threads,
                                                          size_t shared_bytes) {
  if (threads != 128 || shared_bytes != kSharedBytes) std::abort();
  *blocks = all_shared ? number("BLOCKS") : 1;
  return cudaSuccess;
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t*, const void*, void**) {
  return cudaSuccess;
}
cudaError_t cudaLibraryLoadData(cudaLibrary_t*, const void*, cudaJitOption*, void**, unsigned,
                                cudaLibraryOption*, void**, unsigned) {
  return cudaErrorNotSupported;
}
cudaError_t cudaLibraryGetKernel(cudaKernel_t*, cudaLibrary_t, const char*) {
  return cudaErrorNotSupported;
}
cudaError_t cudaDriverGetVersion(int*) { return cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaGetDriverEntryPointByVersion(const char*, void**, unsigned, unsigned long long,
                                             cudaDriverEntryPointQueryResult*) {
  return cudaErrorNotSupported;
}
const char* cudaGetErrorName(cudaError_t) { return "error"; }
const char* cudaGetErrorString(cudaError_t) { return "of nobody"; }
}

int main() {
  fovea::device::Kernel kernel = {};
  kernel.name = "wide";
  kernel.threads = 128;
  kernel.shared_bytes = kSharedBytes;
  kernel.blocks = 2;
  char error[FOVEA_ERROR_LENGTH] = "";
  const int status = fovea::device::prepare(kernel, error);
  std::puts(error);
  return status;
}
