#include "cuda/attention/modified.h"

#include <atomic>
#include <cstdlib>
#include <new>
#include <type_traits>

#include "core/backend.h"
#include "core/block.h"
#include "cuda/device.h"

namespace fovea::attention::cuda {
namespace {

using Error = char[FOVEA_ERROR_LENGTH];

// Kept for good: a run that has been queued may need them, and nobody says when it ends.
struct Modified {
  int64_t key;
  int32_t pass, variant, capability;
  AttentionKernel* forward;
  BackwardKernels backward;
  const Modified* next;

  bool is_of(int64_t other, int32_t of_pass, int32_t of_variant, int32_t of_capability) const {
    return key == other && pass == of_pass && variant == of_variant && capability == of_capability;
  }
};

// The last that was loaded. Only ever prepended to, so that nobody waits: two that load the same at a time load it
// twice, and either will do.
std::atomic<const Modified*> newest{nullptr};

const Modified* find(int64_t key, int32_t pass, int32_t variant, int32_t capability) {
  const Modified* all = newest.load(std::memory_order_acquire);
  while (all != nullptr && !all->is_of(key, pass, variant, capability)) all = all->next;
  return all;
}

const Modified* find(const fovea_plan& plan) {
  return find(spec_of(plan).modifier_key, plan.pass, plan.variant, device::capability());
}

// The kernels of modified_forward.cuh or modified_backward.cuh.
int32_t read(const device::Image& image, Modified& to, Error& error) {
  const auto find = [&](const char* name, auto*& kernel) {
    const void* function = nullptr;
    const int32_t status = device::find_kernel(image, name, function, error);
    kernel = reinterpret_cast<std::remove_reference_t<decltype(kernel)>>(const_cast<void*>(function));
    return status;
  };
  if (to.pass == FOVEA_FORWARD) return find("modified_forward", to.forward);
  BackwardKernels& backward = to.backward;
  if (int32_t status = find("modified_statistics", backward.statistics)) return status;
  if (int32_t status = find("modified_keys", backward.keys)) return status;
  if (int32_t status = find("modified_positions", backward.positions)) return status;
  if (int32_t status = find("modified_queries", backward.queries)) return status;
  if (int32_t status = find("modified_bias", backward.bias)) return status;
  return find("modified_row_operands", backward.row_operands);
}

}  // namespace

AttentionKernel* find_modified_forward(const fovea_plan& plan) {
  const Modified* const it = find(plan);
  return it == nullptr ? nullptr : it->forward;
}

const BackwardKernels* find_modified_backward(const fovea_plan& plan) {
  const Modified* const it = find(plan);
  return it == nullptr ? nullptr : &it->backward;
}

}  // namespace fovea::attention::cuda

namespace fovea::backend {

int32_t load_modifier(int64_t key, int32_t pass, int32_t variant, const void* image,
                      char (&error)[FOVEA_ERROR_LENGTH]) {
  using attention::cuda::Modified;
  const int32_t capability = device::capability();
  if (attention::cuda::find(key, pass, variant, capability) != nullptr) return FOVEA_OK;
  device::Image code = {};
  if (int32_t status = device::load_image(image, code, error)) return status;
  Modified read = {key, pass, variant, capability, nullptr, {}, nullptr};
  if (int32_t status = attention::cuda::read(code, read, error)) return status;
  void* const memory = std::malloc(sizeof(Modified));  // new would want more of the C library
  if (memory == nullptr) return fail(error, FOVEA_DEVICE_ERROR, "no memory for kernels");
  auto* const it = new (memory) Modified(read);
  it->next = attention::cuda::newest.load(std::memory_order_relaxed);
  while (!attention::cuda::newest.compare_exchange_weak(it->next, it, std::memory_order_release,
                                                        std::memory_order_relaxed)) {
  }
  return FOVEA_OK;
}

}  // namespace fovea::backend
