// All operations. Made by ops/generate.
#pragma once

#include "ops/attention/operation.h"

#define FOVEA_OPERATIONS(X) X(attention)

namespace fovea {

constexpr const Operation* kOperations[] = {
    &attention::kOperation,
};

// Null if there is none of that id.
inline const Operation* find_operation(int32_t id) {
  for (const Operation* operation : kOperations) {
    if (operation->id == id) return operation;
  }
  return nullptr;
}

}  // namespace fovea
