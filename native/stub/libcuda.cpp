// Tests only: libcuda.so.1 over host memory, as far as java/fovea-cuda goes. It is stricter than a
// driver where that finds mistakes: a call without a current context, an asynchronous copy from
// memory that is not pinned, memory used after it was freed, allocations during a capture.

#include <cstring>

#include "call.h"

namespace fovea::stub {
namespace {

struct Name {
  int code;
  const char *name, *text;
};

constexpr Name kNames[] = {
    {kSuccess, "CUDA_SUCCESS", "no error"},
    {kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {kNoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {kNotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {kLaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {kNotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {kCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {kCaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {kCaptureUnmatched, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED",
     "capture was not initiated in this stream"},
    {kCaptureIsolation, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION",
     "dependency created on uncaptured work in another stream"},
    {kCapturedEvent, "CUDA_ERROR_CAPTURED_EVENT",
     "operation not permitted on an event last recorded in a capturing stream"},
    {kCaptureWrongThread, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
     "attempt to terminate a thread-local capture sequence from another thread"},
};

const Name* find_name(int code) {
  for (const Name& name : kNames) {
    if (name.code == code) return &name;
  }
  return nullptr;
}

int enqueue(void* handle, Work work) {
  const auto stream = machine().stream(handle);
  if (!stream) return kInvalidHandle;
  stream->add(std::move(work));
  return kSuccess;
}

bool on_device(const void* address, size_t bytes) {
  const Block* const block = machine().block(address, bytes);
  return block != nullptr && block->device >= 0;
}

bool pinned(const void* address, size_t bytes) {
  const Block* const block = machine().block(address, bytes);
  return block != nullptr && block->device < 0;
}

void access(const void* address, size_t bytes) {
  if (!on_device(address, bytes)) machine().lost = kIllegalAddress;
}

int copy(void* to, const void* from, size_t bytes, void* stream) {
  return enqueue(stream, [=] {
    for (const void* address : {const_cast<const void*>(to), from}) {
      if (!pinned(address, bytes)) access(address, bytes);
    }
    if (machine().lost == kSuccess) std::memcpy(to, from, bytes);
  });
}

}  // namespace
}  // namespace fovea::stub

using namespace fovea::stub;

// ---- devices and contexts

FOVEA_STUB int cuInit(unsigned) {
  machine().initialized = machine().devices() > 0;
  return machine().initialized ? call("cuInit", false, [] { return kSuccess; }) : int{kNoDevice};
}

FOVEA_STUB int cuDriverGetVersion(int* version) {
  *version = 13000;
  return kSuccess;
}

FOVEA_STUB int cuGetErrorName(int code, const char** text) {
  const Name* const name = find_name(code);
  *text = name == nullptr ? nullptr : name->name;
  return name == nullptr ? kInvalidValue : kSuccess;
}

FOVEA_STUB int cuGetErrorString(int code, const char** text) {
  const Name* const name = find_name(code);
  *text = name == nullptr ? nullptr : name->text;
  return name == nullptr ? kInvalidValue : kSuccess;
}

FOVEA_STUB int cuDeviceGetCount(int* count) {
  return call("cuDeviceGetCount", false, [&] {
    *count = machine().devices();
    return kSuccess;
  });
}

FOVEA_STUB int cuDeviceGet(int* device, int ordinal) {
  return call("cuDeviceGet", false, [&] {
    *device = ordinal;
    return ordinal >= 0 && ordinal < machine().devices() ? kSuccess : kInvalidDevice;
  });
}

FOVEA_STUB int cuDeviceGetAttribute(int* value, int, int) {
  return call("cuDeviceGetAttribute", false, [&] {
    *value = 1;  // it has whatever is asked for
    return kSuccess;
  });
}

// A context is its device's number plus one, as an address.
FOVEA_STUB int cuDevicePrimaryCtxRetain(void** context, int device) {
  return call("cuDevicePrimaryCtxRetain", false, [&] {
    *context = reinterpret_cast<void*>(intptr_t{device} + 1);
    return kSuccess;
  });
}

FOVEA_STUB int cuCtxPushCurrent_v2(void* context) {
  return call("cuCtxPushCurrent", false, [&] {
    push_context(int(reinterpret_cast<intptr_t>(context)) - 1);
    return kSuccess;
  });
}

FOVEA_STUB int cuCtxPopCurrent_v2(void** context) {
  *context = nullptr;  // also on a lost device: the stack is the thread's
  return pop_context() ? kSuccess : kInvalidContext;
}

FOVEA_STUB int cuCtxSetCurrent(void* context) {
  return call("cuCtxSetCurrent", false, [&] {
    pop_context();
    if (context != nullptr) push_context(int(reinterpret_cast<intptr_t>(context)) - 1);
    return kSuccess;
  });
}

FOVEA_STUB int cuCtxGetCurrent(void** context) {
  *context = reinterpret_cast<void*>(intptr_t{current_device()} + 1);
  return kSuccess;
}

FOVEA_STUB int cuCtxSynchronize() {
  return call("cuCtxSynchronize", true, [&] {
    machine().synchronize(current_device());
    return kSuccess;
  });
}

// ---- memory

FOVEA_STUB int cuDeviceGetDefaultMemPool(void** pool, int device) {
  return call("cuDeviceGetDefaultMemPool", false, [&] {
    *pool = reinterpret_cast<void*>(intptr_t{device} + 1);
    return kSuccess;
  });
}

FOVEA_STUB int cuMemPoolSetAttribute(void*, int, void*) {
  return call("cuMemPoolSetAttribute", false, [] { return kSuccess; });
}

FOVEA_STUB int cuMemGetInfo_v2(size_t* available, size_t* total) {
  return call("cuMemGetInfo", true, [&] {
    *total = Machine::kMemory;
    *available = Machine::kMemory - machine().used(current_device());
    return kSuccess;
  });
}

FOVEA_STUB int cuMemAlloc_v2(void** address, size_t bytes) {
  return call("cuMemAlloc", true, [&] {
    *address = machine().allocate(bytes, current_device());
    return *address == nullptr ? kOutOfMemory : kSuccess;
  });
}

FOVEA_STUB int cuMemFree_v2(void* address) {
  return call("cuMemFree", true, [&] {
    machine().synchronize(current_device());
    return machine().free(address) ? kSuccess : kInvalidValue;
  });
}

FOVEA_STUB int cuMemAllocAsync(void** address, size_t bytes, void* handle) {
  return call("cuMemAllocAsync", true, [&]() -> int {
    const auto stream = machine().stream(handle);
    if (!stream) return kInvalidHandle;
    if (stream->capture) return stream->invalidate(kCaptureUnsupported);
    if (bytes == 0) return kInvalidValue;
    *address = machine().allocate(bytes, stream->device);
    return *address == nullptr ? kOutOfMemory : kSuccess;
  });
}

FOVEA_STUB int cuMemFreeAsync(void* address, void* handle) {
  return call("cuMemFreeAsync", true, [&]() -> int {
    const auto stream = machine().stream(handle);
    if (!stream) return kInvalidHandle;
    if (stream->capture) return stream->invalidate(kCaptureUnsupported);
    if (machine().block(address, 1) == nullptr) return kInvalidValue;
    stream->add([=] {
      if (!machine().free(address)) machine().lost = kIllegalAddress;
    });
    return kSuccess;
  });
}

FOVEA_STUB int cuMemAllocHost_v2(void** address, size_t bytes) {
  return call("cuMemAllocHost", true, [&] {
    *address = machine().allocate(bytes, -1);
    return *address == nullptr ? kOutOfMemory : kSuccess;
  });
}

FOVEA_STUB int cuMemFreeHost(void* address) {
  return call("cuMemFreeHost", true,
              [&] { return machine().free(address) ? kSuccess : kInvalidValue; });
}

FOVEA_STUB int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, void* stream) {
  return call("cuMemcpyHtoDAsync", true,
              [&] { return pinned(from, bytes) ? copy(to, from, bytes, stream) : kInvalidValue; });
}

FOVEA_STUB int cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t bytes, void* stream) {
  return call("cuMemcpyDtoHAsync", true,
              [&] { return pinned(to, bytes) ? copy(to, from, bytes, stream) : kInvalidValue; });
}

FOVEA_STUB int cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t bytes, void* stream) {
  return call("cuMemcpyDtoDAsync", true, [&] { return copy(to, from, bytes, stream); });
}

FOVEA_STUB int cuMemsetD8Async(void* to, unsigned char value, size_t bytes, void* stream) {
  return call("cuMemsetD8Async", true, [&] {
    return enqueue(stream, [=] {
      access(to, bytes);
      if (machine().lost == kSuccess) std::memset(to, value, bytes);
    });
  });
}

FOVEA_STUB int cuMemsetD32Async(void* to, unsigned value, size_t count, void* stream) {
  return call("cuMemsetD32Async", true, [&] {
    return enqueue(stream, [=] {
      access(to, count * sizeof value);
      for (size_t i = 0; machine().lost == kSuccess && i < count; ++i) {
        static_cast<unsigned*>(to)[i] = value;
      }
    });
  });
}

FOVEA_STUB int cuPointerGetAttribute(void* value, int attribute, void* address) {
  return call("cuPointerGetAttribute", false, [&] {
    constexpr int kDeviceOrdinal = 9;
    const Block* const block = machine().block(address, 1);
    if (attribute != kDeviceOrdinal || block == nullptr) return kInvalidValue;
    *static_cast<int*>(value) = block->device;
    return kSuccess;
  });
}
