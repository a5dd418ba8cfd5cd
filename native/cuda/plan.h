// What planners of all operations ask of a device alike.
#pragma once

#include <initializer_list>
#include <limits>

#include "core/block.h"

namespace fovea::cuda {

using Error = char[FOVEA_ERROR_LENGTH];

constexpr int kLeastCapability = 80;  // of mma.sync with float32 sums of bfloat16, and of cp.async

// What kernels and plans are called by.
inline const char* name_of(int32_t dtype) {
  return dtype == FOVEA_FLOAT32 ? "f32" : dtype == FOVEA_FLOAT16 ? "f16" : "bf16";
}

inline int64_t tiles_of(int64_t size, int64_t tile) { return (size + tile - 1) / tile; }

inline int32_t check_capability(const fovea_device_info& device, Error& error) {
  const int capability = device.compute_capability;
  if (capability >= kLeastCapability) return FOVEA_OK;
  return fail(error, FOVEA_UNSUPPORTED,
              "the device has compute capability %d.%d, and Fovea's kernels need 8.0 or later",
              capability / 10, capability % 10);
}

// items = product of the counts, which are named by `what`.
inline int32_t count_items(const char* what, std::initializer_list<int64_t> counts, int64_t& items,
                           Error& error) {
  items = 1;
  for (const int64_t count : counts) {
    items *= count;
    if (items > std::numeric_limits<int32_t>::max()) {
      return fail(error, FOVEA_UNSUPPORTED, "%s are more blocks than a grid has", what);
    }
  }
  return FOVEA_OK;
}

}  // namespace fovea::cuda
