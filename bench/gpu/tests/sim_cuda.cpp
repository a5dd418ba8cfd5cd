// libcuda.so.1 of a described H100 whose kernels run in the simulator and whose memory is the
// host's: for the whole of fovea_variants without a GPU. A module is a text, the name of a variant
// below and, where it is to go wrong, how: its block of parameters, its launch or the process.
#include <cuda.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "sim/sim.h"
#include "variants.cuh"

FOVEA_FORWARD_VARIANT(forward_d64_4_32_64_3_1_2, 64, 4, 32, 64, 3, 1, 2)
FOVEA_FORWARD_VARIANT(forward_d64_4_16_64_2_1_2, 64, 4, 16, 64, 2, 1, 2)
FOVEA_BACKWARD_KEYS_VARIANT(backward_keys_d64_4_32_32_2_1_2, 64, 4, 32, 32, 2, 1, 2)
FOVEA_BACKWARD_KEYS_VARIANT(backward_keys_d64_8_16_64_1_1_1, 64, 8, 16, 64, 1, 1, 1)
FOVEA_WARPGROUP_VARIANT(warpgroup_forward_d64_2_128_2_24_240_4_0, 64, 2, 128, 2, 24, 240, 4, 0)
FOVEA_WARPGROUP_VARIANT(warpgroup_forward_d64_2_64_3_24_240_0_0, 64, 2, 64, 3, 24, 240, 0, 0)

namespace {

using namespace fovea::attention::cuda;
namespace sim = fovea::sim;

struct Entry {
  const char* name;
  AttentionKernel* forward;
  BackwardKernel *keys, *convert;
  WarpgroupKernel* warpgroups;
};

constexpr Entry kEntries[] = {
#define FOVEA_FORWARD(name) {#name, name, nullptr, nullptr, nullptr}
#define FOVEA_BACKWARD(name) {#name, nullptr, name, name##_convert, nullptr}
#define FOVEA_WARPGROUP_FORWARD(name) {#name, nullptr, nullptr, nullptr, name}
    FOVEA_FORWARD(forward_d64_4_32_64_3_1_2),
    FOVEA_FORWARD(forward_d64_4_16_64_2_1_2),
    FOVEA_BACKWARD(backward_keys_d64_4_32_32_2_1_2),
    FOVEA_BACKWARD(backward_keys_d64_8_16_64_1_1_1),
    FOVEA_WARPGROUP_FORWARD(warpgroup_forward_d64_2_128_2_24_240_4_0),
    FOVEA_WARPGROUP_FORWARD(warpgroup_forward_d64_2_64_3_24_240_0_0),
};

struct Function {
  const Entry* entry;
  bool converts;
  std::string fault;
};

std::vector<sim::Extent> memory;

// How a block of parameters is wrong.
void spoil(AttentionParams& p, const std::string& fault) {
  if (fault == "stride") p.spec.query_stride[2] = 0;
  if (fault == "tiles") ++p.tiles;
  if (fault == "scale") p.softmax_scale *= 1.01f;
  if (fault == "mask") p.spec.alignment = FOVEA_TOP_LEFT;
  if (fault == "key") --p.key_length;
}

// Its queries come by their map.
void spoil(WarpgroupParams& p, const std::string& fault) {
  spoil(static_cast<AttentionParams&>(p), fault);
  if (fault != "stride") return;
  fovea::TensorBoxes boxes;
  std::memcpy(&boxes, p.query_map.bytes, sizeof boxes);
  boxes.stride[1] = 16;
  p.query_map = sim::encode(boxes);
}

void run(const Function& it, const void* params) {
  if (it.entry->forward != nullptr) {
    auto p = *static_cast<const AttentionParams*>(params);
    spoil(p, it.fault);
    it.entry->forward(p);
  } else if (it.entry->warpgroups != nullptr) {
    auto p = *static_cast<const WarpgroupParams*>(params);
    spoil(p, it.fault);
    it.entry->warpgroups(p);
  } else {
    auto b = *static_cast<const BackwardParams*>(params);
    spoil(b.forward, it.fault);
    (it.converts ? it.entry->convert : it.entry->keys)(b);
  }
}

}  // namespace

extern "C" {

CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice* device, int) {
  *device = 0;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char* name, int length, CUdevice) {
  std::strncpy(name, "NVIDIA H100 (simulated)", size_t(length));
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
  const char* const major = std::getenv("FOVEA_SIM_MAJOR");
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      *value = major != nullptr ? std::atoi(major) : 9;
      break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      *value = 132;
      break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
      *value = 227 << 10;
      break;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
      *value = 50 << 20;
      break;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
      *value = 1'980'000;
      break;
    default:
      *value = 0;
  }
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
  *context = nullptr;
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext) { return CUDA_SUCCESS; }
CUresult cuCtxSynchronize() { return CUDA_SUCCESS; }
CUresult cuGetErrorName(CUresult result, const char** name) {
  *name = result == CUDA_ERROR_LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR_UNKNOWN";
  return CUDA_SUCCESS;
}

CUresult cuMemAlloc(CUdeviceptr* p, size_t bytes) {
  void* const block = std::malloc(bytes);
  memory.push_back({block, bytes, true, "memory"});
  *p = reinterpret_cast<CUdeviceptr>(block);
  return CUDA_SUCCESS;
}
CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t bytes) {
  std::memset(reinterpret_cast<void*>(to), value, bytes);
  return CUDA_SUCCESS;
}
CUresult cuMemcpyHtoD(CUdeviceptr to, const void* from, size_t bytes) {
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return CUDA_SUCCESS;
}
CUresult cuMemcpyDtoH(void* to, CUdeviceptr from, size_t bytes) {
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return CUDA_SUCCESS;
}
CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  std::istringstream text(static_cast<const char*>(image));
  std::string name, fault;
  text >> name >> fault;
  for (const Entry& entry : kEntries) {
    if (name != entry.name) continue;
    *module = reinterpret_cast<CUmodule>(new Function{&entry, false, fault});
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_INVALID_IMAGE;
}
CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  auto it = std::make_unique<Function>(*reinterpret_cast<const Function*>(module));
  it->converts = std::strcmp(name, "variant_convert") == 0;
  *function = reinterpret_cast<CUfunction>(it.release());
  return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction, CUfunction_attribute, int) { return CUDA_SUCCESS; }
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction, int, size_t) {
  *blocks = 2;
  return CUDA_SUCCESS;
}

CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank,
                                void* base, const cuuint64_t* size, const cuuint64_t* stride,
                                const cuuint32_t* box, const cuuint32_t*, CUtensorMapInterleave,
                                CUtensorMapSwizzle swizzle, CUtensorMapL2promotion,
                                CUtensorMapFloatOOBfill) {
  if (type != CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 || rank < 1 || rank > 5) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  fovea::TensorBoxes boxes = {base, rank, 2, {}, {2}, {}, 0};
  if (swizzle == CU_TENSOR_MAP_SWIZZLE_128B) boxes.swizzle_bytes = 128;
  std::copy_n(size, rank, boxes.size);
  std::copy_n(stride, rank - 1, boxes.stride + 1);
  std::copy_n(box, rank, boxes.box);
  char why[120];
  if (!fovea::check_boxes(boxes, why, sizeof why)) return CUDA_ERROR_INVALID_VALUE;
  const fovea::TensorMap encoded = sim::encode(boxes);
  std::memcpy(map, &encoded, sizeof encoded);
  return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned blocks, unsigned, unsigned, unsigned threads,
                        unsigned, unsigned, unsigned shared_bytes, CUstream, void** params,
                        void**) {
  const auto& it = *reinterpret_cast<const Function*>(function);
  if (it.fault == "hang") pause();
  if (it.fault == "launch") return CUDA_ERROR_LAUNCH_FAILED;
  if (it.fault == "crash") std::abort();
  if (it.fault == "blocks") --blocks;
  try {
    sim::launch({it.entry->name, blocks, threads, shared_bytes, memory, {},
                 it.entry->warpgroups != nullptr},
                [&] { run(it, params[0]); });
    return CUDA_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return CUDA_ERROR_LAUNCH_FAILED;
  }
}

CUresult cuEventCreate(CUevent* event, unsigned) {
  *event = nullptr;
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent, CUstream) { return CUDA_SUCCESS; }
CUresult cuEventSynchronize(CUevent) { return CUDA_SUCCESS; }
CUresult cuEventElapsedTime(float* milliseconds, CUevent, CUevent) {
  const char* const said = std::getenv("FOVEA_SIM_MILLISECONDS");
  *milliseconds = said != nullptr ? std::strtof(said, nullptr) : 2;
  return CUDA_SUCCESS;
}
}
