// What planners of operations with a softmax over pairs of queries and keys ask of a device alike.
#pragma once

#include <algorithm>
#include <utility>

#include "cuda/plan.h"

namespace fovea::cuda {

// Pairs whose keys and values share half of L2. Where every tile takes the same time, one pair after
// the other is best; under a causal mask the tiles of several pairs must mix to end together.
template <typename Spec>
int64_t section_of(const Spec& spec, const fovea_device_info& device, int element_bytes) {
  const int64_t pairs = std::max<int64_t>(1, spec.batch * spec.key_heads);
  if (!spec.causal) return 1;
  const int64_t pair_bytes =
      std::max<int64_t>(1, spec.key_length * (spec.head_dim + spec.value_head_dim) * element_bytes);
  return std::clamp<int64_t>(device.cache_bytes / 2 / pair_bytes, 1, pairs);
}

// What any kernel needs of device and lengths.
template <typename Spec>
int32_t check_device(const fovea_device_info& device, const Spec& spec, Error& error) {
  if (int32_t status = check_capability(device, error)) return status;
  // A tile has up to 128 rows of each head that shares a key head, which a kernel counts in 31 bits.
  constexpr int64_t kMostHeads = 1 << 24;
  if (spec.query_heads / spec.key_heads > kMostHeads) {
    return fail(error, FOVEA_UNSUPPORTED,
                "%lld query heads share a key head, and CUDA kernels take up to %lld",
                (long long)(spec.query_heads / spec.key_heads), (long long)kMostHeads);
  }
  // Kernels count positions in 32 bits, and look a little beyond the last.
  constexpr int64_t kLongest = std::numeric_limits<int32_t>::max() - 1024;
  for (const auto& [name, length] :
       {std::pair("query_length", spec.query_length), std::pair("key_length", spec.key_length)}) {
    if (length > kLongest) {
      return fail(error, FOVEA_UNSUPPORTED, "%s is %lld, and CUDA kernels take up to %lld", name,
                  (long long)length, (long long)kLongest);
    }
  }
  return FOVEA_OK;
}

template <typename Spec>
int32_t check_shared(const fovea_device_info& device, const Spec& spec, int bytes, Error& error) {
  if (bytes <= device.shared_memory) return FOVEA_OK;
  return fail(error, FOVEA_UNSUPPORTED,
              "head_dim %lld needs %d bytes of shared memory per block, and the device has %lld",
              (long long)spec.head_dim, bytes, (long long)device.shared_memory);
}

}  // namespace fovea::cuda
