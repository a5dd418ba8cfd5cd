// What FOVEA_* types say of their elements.
#pragma once

#include "core/everywhere.h"
#include "fovea.h"

namespace fovea {

// Of an element; one of FOVEA_INT4X2 holds two values.
FOVEA_EVERYWHERE constexpr int element_bytes(int32_t dtype) {
  return dtype == FOVEA_FLOAT32 ? 4 : dtype <= FOVEA_BFLOAT16 ? 2 : 1;
}
FOVEA_EVERYWHERE constexpr int element_values(int32_t dtype) { return dtype == FOVEA_INT4X2 ? 2 : 1; }

// Of a type that only caches have.
FOVEA_EVERYWHERE constexpr bool is_quantized(int32_t dtype) { return dtype > FOVEA_BFLOAT16; }

}  // namespace fovea
