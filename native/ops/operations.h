// All operations. Made by ops/Generate.java.
#pragma once

#include "ops/attention/operation.h"

#define FOVEA_OPERATIONS(X) X(attention)

namespace fovea {

// Null if there is none of that id.
inline const Operation* find_operation(int32_t id) {
#define FOVEA_FIND(name) \
  if (id == name::kOperation.id) return &name::kOperation;
  FOVEA_OPERATIONS(FOVEA_FIND)
#undef FOVEA_FIND
  return nullptr;
}

}  // namespace fovea
