// Shared memory, as kernels and PTX see it.
#pragma once

#include "tile/target.h"

namespace fovea::tile {

#ifdef __CUDACC__
// The block's dynamic shared memory. 1024 bytes is the period of the 128-byte swizzle: a tile that starts on it has the
// same pattern for the copy engine, which swizzles by address, and for wgmma.
FOVEA_DEVICE unsigned char* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char fovea_dynamic_shared[];
  return fovea_dynamic_shared;
}

// The 32-bit address within the shared window, which PTX wants instead of a generic pointer.
FOVEA_DEVICE uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}
#endif

// Address of the block's dynamic shared memory in the shared window.
FOVEA_DEVICE uint32_t shared_base() {
#ifdef __CUDACC__
  return shared_address(dynamic_shared());
#else
  return sim::shared_base();
#endif
}

// A tile in shared memory: rows of kChunks chunks of 16 bytes. The chunks of a row are permuted so
// that any eight neighbouring rows have their chunk c in different banks, whether eight threads read
// a column of chunks (ldmatrix) or a row of them (the copy): no padding, no conflicts.
template <int kChunks>
struct Swizzle {
  static_assert(kChunks % 4 == 0, "a row is a multiple of 64 bytes");

  // What the chunk's index is xored with in this row; rows eight apart have the same.
  static FOVEA_DEVICE uint32_t pattern(uint32_t row) {
    return kChunks % 8 == 0 ? row % 8 : row / 2 % 4;
  }
  // Byte offset of a chunk from the tile's first.
  static FOVEA_DEVICE uint32_t offset(uint32_t row, uint32_t chunk) {
    return (row * kChunks + (chunk ^ pattern(row))) * 16;
  }
};

}  // namespace fovea::tile
