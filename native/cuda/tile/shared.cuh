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

  // Chunks are permuted within groups of this many, which rows are multiples of.
  static constexpr uint32_t kPeriod = kChunks % 8 == 0 ? 8 : 4;
  static constexpr uint32_t kRowBytes = kChunks * 16;

  // Byte offset of a chunk from the tile's first.
  static FOVEA_DEVICE uint32_t offset(uint32_t row, uint32_t chunk) {
    const uint32_t pattern = kPeriod == 8 ? row % 8 : row / 2 % 4;
    return row * kRowBytes + (chunk ^ pattern) * 16;
  }
  // From the address of a chunk to that of chunk `index + by` of the row, where index has no bit of
  // `by`, and the tile begins at a multiple of 128. One xor and a constant: the kernels hold one
  // address for each thread instead of one for each step. (Rows 8 apart have the same pattern, so
  // 8 kRowBytes lead from one to the other.)
  static FOVEA_DEVICE uint32_t move(uint32_t address, uint32_t by) {
    return (address ^ by % kPeriod * 16) + by / kPeriod * kPeriod * 16;
  }
};

}  // namespace fovea::tile
