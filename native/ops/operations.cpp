#include "ops/operations.h"

#include "core/backend.h"

// Weak: a backend may lack an operation.
#define FOVEA_DECLARE(operation)                               \
  namespace fovea::operation {                                 \
  [[gnu::weak]] extern const backend::Kernels kKernels;        \
  }
FOVEA_OPERATIONS(FOVEA_DECLARE)

namespace fovea::backend {

const Kernels* find(int32_t operation) {
  switch (operation) {
#define FOVEA_CASE(name)    \
  case name::kOperation.id: \
    return &name::kKernels;
    FOVEA_OPERATIONS(FOVEA_CASE)
    default:
      return nullptr;
  }
}

}  // namespace fovea::backend
