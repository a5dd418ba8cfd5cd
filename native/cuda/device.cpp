// The GPU behind cuda/device.h: the CUDA runtime, on whichever device is current. Its static
// library opens the driver when it is first asked, so this one loads on machines without.

#include "cuda/device.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>

#include "core/block.h"
#include "cuda/cuda_error.h"
#include "cuda/tensor_map.h"

namespace fovea::device {

const bool kRunsPrograms = false;

namespace {

using Error = char[FOVEA_ERROR_LENGTH];

// The runtime asks for a driver of its own major version; the minor ones work with each other.
int32_t driver_failure(Error& error) {
  constexpr int kMajor = CUDART_VERSION / 1000;
  int version = 0;
  cudaDriverGetVersion(&version);
  if (version == 0) {
    return fail(error, FOVEA_UNSUPPORTED,
                "there is no NVIDIA driver (libcuda.so.1 is not found): install one for CUDA %d; a "
                "container needs --gpus all",
                kMajor);
  }
  return fail(error, FOVEA_UNSUPPORTED,
              "the NVIDIA driver is for CUDA %d.%d, expected %d.0 or newer: update the driver",
              version / 1000, version % 1000 / 10, kMajor);
}

// Every failed call ends here. The runtime keeps its code for the thread's next cudaGetLastError,
// which may be somebody else's: take it back.
int32_t failure(cudaError_t code, const char* call, Error& error) {
  cudaGetLastError();
  switch (code) {
    case cudaErrorInsufficientDriver:
    case cudaErrorStubLibrary:
    case cudaErrorCallRequiresNewerDriver:
      return driver_failure(error);
    case cudaErrorNoDevice:
      return fail(error, FOVEA_UNSUPPORTED,
                  "the NVIDIA driver finds no GPU: see nvidia-smi and CUDA_VISIBLE_DEVICES; a "
                  "container needs --gpus all");
    default:
      return device_failure(code, call, error, sizeof error);
  }
}

// Fails if fewer blocks of a prepared kernel share a multiprocessor than its tile counts on.
int32_t require_occupancy(const Kernel& kernel, int64_t shared_bytes, int index, Error& error) {
  int shared_memory = 0, reserved = 0, blocks = 0;
  if (cudaError_t code = cudaDeviceGetAttribute(
          &shared_memory, cudaDevAttrMaxSharedMemoryPerMultiprocessor, index)) {
    return failure(code, "cudaDeviceGetAttribute", error);
  }
  if (cudaError_t code =
          cudaDeviceGetAttribute(&reserved, cudaDevAttrReservedSharedMemoryPerBlock, index)) {
    return failure(code, "cudaDeviceGetAttribute", error);
  }
  if (cudaError_t code = cudaOccupancyMaxActiveBlocksPerMultiprocessor(
          &blocks, kernel.function, kernel.threads, size_t(kernel.shared_bytes))) {
    return failure(code, "cudaOccupancyMaxActiveBlocksPerMultiprocessor", error);
  }
  const int64_t expected =
      std::min<int64_t>(kernel.blocks, shared_memory / (shared_bytes + reserved));
  if (blocks >= expected) return FOVEA_OK;
  return fail(error, FOVEA_DEVICE_ERROR,
              "kernel %s: %d blocks share a multiprocessor, expected %lld", kernel.name, blocks,
              (long long)expected);
}

}  // namespace

int32_t prepare(const Kernel& kernel, Error& error) {
  int index = 0, shared_memory = 0;
  if (cudaError_t code = cudaGetDevice(&index)) return failure(code, "cudaGetDevice", error);
  // An attribute is a look into a table, all properties of a device take a millisecond: those only for
  // the text of a refusal.
  if (cudaError_t code = cudaDeviceGetAttribute(&shared_memory,
                                                cudaDevAttrMaxSharedMemoryPerBlockOptin, index)) {
    return failure(code, "cudaDeviceGetAttribute", error);
  }

  // Loads the kernel, too: code that a first launch loads lazily could not be captured.
  cudaFuncAttributes attributes;
  const cudaError_t code = cudaFuncGetAttributes(&attributes, kernel.function);
  if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorInvalidDeviceFunction) {
    cudaGetLastError();
    fovea_device_info device = {};
    if (int32_t status = backend::query(index, device)) return fail(error, status, "%s", device.error);
    const int capability = device.compute_capability;
    return fail(error, FOVEA_UNSUPPORTED,
                "kernel %s has no code for device %d, %s of compute capability %d.%d: this library "
                "was built for %s",
                kernel.name, index, device.name, capability / 10, capability % 10,
                FOVEA_CUDA_TARGETS);
  }
  if (code != cudaSuccess) return failure(code, "cudaFuncGetAttributes", error);

  const int64_t needed = int64_t{kernel.shared_bytes} + int64_t(attributes.sharedSizeBytes);
  if (needed > shared_memory) {
    fovea_device_info device = {};
    if (int32_t status = backend::query(index, device)) return fail(error, status, "%s", device.error);
    return fail(error, FOVEA_UNSUPPORTED,
                "kernel %s needs %lld bytes of shared memory per block, device %d, %s, has %d: make "
                "the plan for this device",
                kernel.name, (long long)needed, index, device.name, shared_memory);
  }
  if (cudaError_t refused = cudaFuncSetAttribute(
          kernel.function, cudaFuncAttributeMaxDynamicSharedMemorySize, kernel.shared_bytes)) {
    return failure(refused, "cudaFuncSetAttribute", error);
  }
  // If nobody asks, the driver may keep so much of it for L1 that fewer blocks have room than could.
  if (cudaError_t refused =
          cudaFuncSetAttribute(kernel.function, cudaFuncAttributePreferredSharedMemoryCarveout,
                               cudaSharedmemCarveoutMaxShared)) {
    return failure(refused, "cudaFuncSetAttribute", error);
  }
  if (std::getenv("FOVEA_REQUIRE_OCCUPANCY") == nullptr) return FOVEA_OK;
  return require_occupancy(kernel, needed, index, error);
}

int32_t load_image(const void* code, Image& image, Error& error) {
  cudaLibrary_t library = nullptr;
  if (cudaError_t refused =
          cudaLibraryLoadData(&library, code, nullptr, nullptr, 0, nullptr, nullptr, 0)) {
    return failure(refused, "cudaLibraryLoadData", error);
  }
  image.library = library;
  return FOVEA_OK;
}

int32_t find_kernel(const Image& image, const char* name, const void*& function, Error& error) {
  cudaKernel_t kernel = nullptr;
  if (cudaError_t refused =
          cudaLibraryGetKernel(&kernel, static_cast<cudaLibrary_t>(image.library), name)) {
    char call[64];
    std::snprintf(call, sizeof call, "cudaLibraryGetKernel of %s", name);
    return failure(refused, call, error);
  }
  function = kernel;
  return FOVEA_OK;
}

int32_t capability() {
  int index = 0, major = 0, minor = 0;
  if (cudaGetDevice(&index) != cudaSuccess ||
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index) != cudaSuccess ||
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index) != cudaSuccess) {
    cudaGetLastError();
    return 0;
  }
  return 10 * major + minor;
}

int32_t encode(const TensorBoxes& boxes, TensorMap& map, Error& error) {
  return encode_boxes(boxes, map, error, sizeof error);
}

int32_t launch(const Kernel& kernel, const void* params, const backend::Run& run, fovea_call& call, bool overlaps) {
  const auto blocks = uint32_t(call.end - call.begin);
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(uint32_t(kernel.threads));
  config.dynamicSmemBytes = size_t(kernel.shared_bytes);
  config.stream = static_cast<cudaStream_t>(run.stream);
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &attribute;
  config.numAttrs = overlaps ? 1 : 0;
  void* arguments[] = {const_cast<void*>(params)};
  // Its own code, not cudaGetLastError's: that may be an older one.
  if (cudaError_t code = cudaLaunchKernelExC(&config, kernel.function, arguments)) {
    char what[FOVEA_ERROR_LENGTH / 2];
    std::snprintf(what, sizeof what, "launch of %s, %u blocks of %d threads", kernel.name, blocks,
                  kernel.threads);
    return failure(code, what, call.error);
  }
  return FOVEA_OK;
}

}  // namespace fovea::device

namespace fovea::backend {

const char* const kName = "cuda";
const int32_t kDeviceKind = FOVEA_DEVICE_CUDA;

void describe_build(char (&build)[160]) {
  std::snprintf(build, sizeof build, "nvcc %s, g++ %s, %s", FOVEA_NVCC_VERSION, __VERSION__,
                FOVEA_CUDA_TARGETS);
}

// Neither call makes a context, on this or another device.
int32_t query(int32_t index, fovea_device_info& device) {
  int count = 0;
  if (cudaError_t code = cudaGetDeviceCount(&count)) {
    return device::failure(code, "cudaGetDeviceCount", device.error);
  }
  if (index < 0 || index >= count) {
    return fail(device.error, FOVEA_INVALID_ARGUMENT, "device index is %d, expected 0 to %d", index,
                count - 1);
  }
  cudaDeviceProp properties;
  if (cudaError_t code = cudaGetDeviceProperties(&properties, index)) {
    return device::failure(code, "cudaGetDeviceProperties", device.error);
  }
  device.kind = FOVEA_DEVICE_CUDA;
  device.index = index;
  device.compute_capability = 10 * properties.major + properties.minor;
  device.multiprocessors = properties.multiProcessorCount;
  device.shared_memory = int64_t(properties.sharedMemPerBlockOptin);
  device.cache_bytes = properties.l2CacheSize;
  device.memory_bytes = int64_t(properties.totalGlobalMem);
  std::snprintf(device.name, sizeof device.name, "%.*s", int(sizeof device.name) - 1,
                properties.name);
  return FOVEA_OK;
}

}  // namespace fovea::backend
