// All operations. Made by ops/generate.
#pragma once

{{#operations}}
#include "ops/{{name}}/operation.h"
{{/operations}}

#define FOVEA_OPERATIONS(X) {{#operations}}X({{name}}) {{/operations}}

namespace fovea {

constexpr const Operation* kOperations[] = {
{{#operations}}
    &{{name}}::kOperation,
{{/operations}}
};

// Null if there is none of that id.
inline const Operation* find_operation(int32_t id) {
  for (const Operation* operation : kOperations) {
    if (operation->id == id) return operation;
  }
  return nullptr;
}

}  // namespace fovea
