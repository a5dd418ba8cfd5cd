// A GPU behind core/backend.h, and the simulator: they differ in cuda/device.h alone.

#include "core/backend.h"

#include "cuda/device.h"
#include "ops/operations.h"

namespace fovea {

#define FOVEA_DECLARE(operation)         \
  namespace operation::cuda {            \
  extern const backend::Kernels kKernels; \
  }
FOVEA_OPERATIONS(FOVEA_DECLARE)

namespace backend {

const char* const kName = device::kBackend;
const int32_t kDeviceKind = FOVEA_DEVICE_CUDA;

void describe_build(char (&build)[160]) { device::describe_build(build); }

int32_t query(int32_t index, fovea_device_info& device) { return device::query(index, device); }

const Kernels* find(int32_t operation) {
  switch (operation) {
#define FOVEA_CASE(name)    \
  case name::kOperation.id: \
    return &name::cuda::kKernels;
    FOVEA_OPERATIONS(FOVEA_CASE)
    default:
      return nullptr;
  }
}

}  // namespace backend
}  // namespace fovea
