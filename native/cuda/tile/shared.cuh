// Shared memory, as kernels and PTX see it.
#pragma once

#include <cstdint>

namespace fovea::tile {

// The block's dynamic shared memory. 1024 bytes is the period of the 128-byte swizzle: a tile that starts on it has the
// same pattern for the copy engine, which swizzles by address, and for wgmma.
__device__ __forceinline__ unsigned char* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char fovea_dynamic_shared[];
  return fovea_dynamic_shared;
}

// The 32-bit address within the shared window, which PTX wants instead of a generic pointer.
__device__ __forceinline__ std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

}  // namespace fovea::tile
