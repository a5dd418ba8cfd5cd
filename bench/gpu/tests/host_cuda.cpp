// libfovea_cpu as if it were libfovea_cuda, and the CUDA runtime over host memory: what fovea_replay
// does with a GPU's memory can be tested without one. The environment's TOUCH makes the "kernel" write
// where it must not: "before" or "after" the query, which is BYTES long, or in it: "input".
#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "core/entry.h"

namespace {

template <typename F>
F* of_cpu(const char* name) {
  static void* library = dlopen(std::getenv("FOVEA_CPU"), RTLD_NOW);
  return reinterpret_cast<F*>(dlsym(library, name));
}

struct Free {
  void operator()(void* p) const { std::free(p); }
};

// The CPU's kernels need it, a GPU's do not.
std::unique_ptr<void, Free> scratch_of(const fovea_plan* plan) {
  size_t bytes = static_cast<size_t>(plan->scratch_bytes + 127) / 64 * 64;
  return std::unique_ptr<void, Free>(std::aligned_alloc(64, bytes));
}

// Operands, workspace, scratch and stream; more than any pass has, of which a function takes the first.
constexpr size_t kMostAddresses = 64;

template <size_t>
using Address = const void*;

template <size_t... kIndex>
int32_t call_cpu(const std::string& function, const fovea_plan* plan, fovea_call* call,
                 const void* const (&all)[kMostAddresses], std::index_sequence<kIndex...>) {
  using F = int32_t(const fovea_plan*, fovea_call*, Address<kIndex>...);
  return of_cpu<F>(function.c_str())(plan, call, all[kIndex]...);
}

}  // namespace

namespace fovea {

int32_t plan_pass(const Operation& operation, const void* spec, const fovea_device_info* device,
                  fovea_plan* plan) {
  using F = int32_t(const void*, const fovea_device_info*, fovea_plan*);
  return of_cpu<F>((std::string("fovea_plan_") + operation.name).c_str())(spec, device, plan);
}

int32_t run_pass(const Operation& operation, int32_t pass, const fovea_plan* plan, fovea_call* call,
                 const void* operands, void* workspace, void* scratch, void* stream) {
  if (stream == nullptr || scratch != nullptr) std::abort();
  std::unique_ptr<void, Free> own = scratch_of(plan);
  const Addresses given = static_cast<Addresses>(operands);
  const void* all[kMostAddresses] = {};
  const size_t count = operation.operands[pass].size();
  std::copy_n(given, count, all);
  all[count] = workspace;
  all[count + 1] = own.get();
  const std::string function =
      std::string("fovea_run_") + operation.name + (pass == FOVEA_BACKWARD ? "_backward" : "");
  const int32_t status =
      call_cpu(function, plan, call, all, std::make_index_sequence<kMostAddresses>());
  const std::string touch = std::getenv("TOUCH") ? std::getenv("TOUCH") : "";
  char* first = static_cast<char*>(const_cast<void*>(given[0]));
  if (touch == "before") first[-3] = 1;
  if (touch == "after") first[std::atol(std::getenv("BYTES"))] = 1;
  if (touch == "input") first[0] ^= 1;
  return status;
}

}  // namespace fovea

extern "C" {

int32_t fovea_library_query(fovea_library_info* info) {
  int32_t status = of_cpu<decltype(fovea_library_query)>("fovea_library_query")(info);
  std::strcpy(info->backend, "cuda");
  return status;
}

int32_t fovea_device_query(int32_t index, fovea_device_info* device) {
  return of_cpu<decltype(fovea_device_query)>("fovea_device_query")(index, device);
}

int32_t fovea_prepare(fovea_plan* plan) {
  return of_cpu<decltype(fovea_prepare)>("fovea_prepare")(plan);
}

cudaError_t cudaMalloc(void** p, size_t n) {
  *p = std::aligned_alloc(256, (n + 255) / 256 * 256);
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  std::free(p);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* p, int value, size_t n, cudaStream_t) {
  std::memset(p, value, n);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t n, cudaMemcpyKind, cudaStream_t) {
  if (n > 0) std::memcpy(to, from, n);
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = reinterpret_cast<cudaStream_t>(8);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 2;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t*) { return cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "error"; }
const char* cudaGetErrorString(cudaError_t) { return "of the host"; }
}
