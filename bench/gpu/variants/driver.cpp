#include "driver.h"

#include <dlfcn.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "cuda/encode_tiled.h"

namespace fovea::attention::cuda::variants {
namespace {

// cuda.h gives some names a version by a macro: the symbol is what it makes of them.
#define FOVEA_SYMBOL(name) #name
#define FOVEA_CALLS(X)                                                                         \
  X(cuInit) X(cuDeviceGet) X(cuDeviceGetAttribute) X(cuDeviceGetName)                          \
  X(cuDevicePrimaryCtxRetain) X(cuCtxSetCurrent) X(cuCtxSynchronize) X(cuGetErrorName)         \
  X(cuMemAlloc) X(cuMemsetD8) X(cuMemcpyHtoD) X(cuMemcpyDtoH) X(cuMemcpyDtoD)                  \
  X(cuModuleLoadData) X(cuModuleGetFunction) X(cuFuncSetAttribute) X(cuLaunchKernel)           \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor) X(cuTensorMapEncodeTiled)                     \
  X(cuEventCreate) X(cuEventRecord) X(cuEventSynchronize) X(cuEventElapsedTime)

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) throw std::runtime_error(std::string("libcuda.so.1 has no ") + name);
}

struct Calls {
#define FOVEA_DECLARE(name) decltype(&::name) name;
  FOVEA_CALLS(FOVEA_DECLARE)
#undef FOVEA_DECLARE

  Calls() {
    void* const library = dlopen("libcuda.so.1", RTLD_NOW);
    if (library == nullptr) throw std::runtime_error(dlerror());
#define FOVEA_FIND(name) find(library, FOVEA_SYMBOL(name), name);
    FOVEA_CALLS(FOVEA_FIND)
#undef FOVEA_FIND
  }
};

const Calls& calls() {
  static const Calls found;
  return found;
}

void check(CUresult result, const char* call) {
  if (result == CUDA_SUCCESS) return;
  const char* name = nullptr;
  calls().cuGetErrorName(result, &name);
  throw std::runtime_error(std::string(call) + ": " +
                           (name != nullptr ? name : std::to_string(int(result))));
}
#define FOVEA_CALL(name, ...) check(calls().name(__VA_ARGS__), #name)

// NVML's answer takes no part in the timing: kernels run while it is asked.
class Clock {
 public:
  Clock() {
    void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (library == nullptr) return;
    const auto init = reinterpret_cast<int (*)()>(dlsym(library, "nvmlInit_v2"));
    const auto handle = reinterpret_cast<int (*)(unsigned, void**)>(
        dlsym(library, "nvmlDeviceGetHandleByIndex_v2"));
    const auto info = reinterpret_cast<Info>(dlsym(library, "nvmlDeviceGetClockInfo"));
    if (init != nullptr && handle != nullptr && init() == 0 && handle(0, &device_) == 0) {
      info_ = info;
    }
  }
  unsigned mhz() const {
    constexpr int kMultiprocessors = 1;
    unsigned mhz = 0;
    return info_ != nullptr && info_(device_, kMultiprocessors, &mhz) == 0 ? mhz : 0;
  }

 private:
  using Info = int (*)(void* device, int clock, unsigned* mhz);
  void* device_ = nullptr;
  Info info_ = nullptr;
};

CUdeviceptr address(const void* p) { return reinterpret_cast<CUdeviceptr>(p); }

}  // namespace

Device::Device() {
  // Dense 16-bit products of a multiprocessor of sm_90 in a cycle.
  constexpr double kFlopsPerCycle = 4096;
  FOVEA_CALL(cuInit, 0);
  CUdevice device;
  FOVEA_CALL(cuDeviceGet, &device, 0);
  const auto attribute = [&](CUdevice_attribute which) {
    int value = 0;
    FOVEA_CALL(cuDeviceGetAttribute, &value, which, device);
    return value;
  };
  info_.size = sizeof info_;
  info_.kind = FOVEA_DEVICE_CUDA;
  info_.compute_capability = 10 * attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
                             attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  info_.multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  info_.shared_memory = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  info_.cache_bytes = attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  FOVEA_CALL(cuDeviceGetName, info_.name, sizeof info_.name, device);
  limit_flops_ =
      kFlopsPerCycle * info_.multiprocessors * 1e3 * attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
  CUcontext context;
  FOVEA_CALL(cuDevicePrimaryCtxRetain, &context, device);
  FOVEA_CALL(cuCtxSetCurrent, context);
  FOVEA_CALL(cuEventCreate, &begin_, CU_EVENT_DEFAULT);
  FOVEA_CALL(cuEventCreate, &end_, CU_EVENT_DEFAULT);
}

void* Device::allocate(size_t bytes) const {
  CUdeviceptr p = 0;
  FOVEA_CALL(cuMemAlloc, &p, bytes);
  return reinterpret_cast<void*>(p);
}

void Device::fill(void* to, uint8_t value, size_t bytes) const {
  FOVEA_CALL(cuMemsetD8, address(to), value, bytes);
}

void Device::write(void* to, const void* from, size_t bytes) const {
  FOVEA_CALL(cuMemcpyHtoD, address(to), from, bytes);
}

void Device::read(void* to, const void* from, size_t bytes) const {
  FOVEA_CALL(cuMemcpyDtoH, to, address(from), bytes);
}

void Device::repeat(void* to, size_t bytes, size_t size) const {
  for (size_t at = bytes; at < size; at += bytes) {
    FOVEA_CALL(cuMemcpyDtoD, address(to) + at, address(to), std::min(bytes, size - at));
  }
}

CUmodule Device::load(const std::string& file) const {
  std::ifstream in(file, std::ios::binary);
  std::vector<char> image(std::istreambuf_iterator<char>(in), {});
  if (image.empty()) throw std::runtime_error(file + " cannot be read");
  image.push_back(0);
  CUmodule module;
  FOVEA_CALL(cuModuleLoadData, &module, image.data());
  return module;
}

CUfunction Device::function(CUmodule module, const char* name, uint32_t shared_bytes) const {
  constexpr int kAllShared = 100;  // percent: with a part for L1 fewer blocks would fit
  CUfunction function;
  FOVEA_CALL(cuModuleGetFunction, &function, module, name);
  FOVEA_CALL(cuFuncSetAttribute, function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
             int(shared_bytes));
  FOVEA_CALL(cuFuncSetAttribute, function, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT,
             kAllShared);
  return function;
}

int Device::resident_blocks(const Launch& launch) const {
  int blocks = 0;
  FOVEA_CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor, &blocks, launch.function,
             int(launch.threads), launch.shared_bytes);
  return blocks;
}

TensorMap Device::encode(const TensorBoxes& boxes) const {
  TensorMap map;
  check(encode_tiled(calls().cuTensorMapEncodeTiled, boxes, map), "cuTensorMapEncodeTiled");
  return map;
}

void Device::run(const Launch& launch) const {
  void* params[] = {const_cast<char*>(launch.params)};
  FOVEA_CALL(cuLaunchKernel, launch.function, launch.blocks, 1, 1, launch.threads, 1, 1,
             launch.shared_bytes, nullptr, params, nullptr);
}

void Device::synchronize() const { FOVEA_CALL(cuCtxSynchronize); }

Device::Timing Device::time(const Launch& launch, int count) const {
  static const Clock clock;
  FOVEA_CALL(cuEventRecord, begin_, nullptr);
  for (int i = 0; i < count; ++i) run(launch);
  FOVEA_CALL(cuEventRecord, end_, nullptr);
  const unsigned mhz = clock.mhz();
  FOVEA_CALL(cuEventSynchronize, end_);
  float milliseconds = 0;
  FOVEA_CALL(cuEventElapsedTime, &milliseconds, begin_, end_);
  return {double(milliseconds) / count, mhz};
}

}  // namespace fovea::attention::cuda::variants
