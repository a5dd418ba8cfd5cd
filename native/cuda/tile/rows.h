// Rows of tensors on their way to shared memory and from it: what planners and launches know of that.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace fovea::tile {

// How rows come to shared memory: in copies of so many bytes, the largest of 16, 8, 4 and 2 that
// address and strides are multiples of. `whole`: by 16, and a row is as wide as the kernel's tile.
struct RowCopy {
  uint8_t bytes;
  bool whole;
};

// The largest of 16, 8, 4 and 2 bytes that the address and every stride are multiples of.
inline uint8_t copy_bytes(const void* address, std::initializer_list<int64_t> strides,
                          int element_bytes) {
  uintptr_t bits = reinterpret_cast<uintptr_t>(address) | 16;
  for (int64_t stride : strides) bits |= uintptr_t(stride * element_bytes);
  return uint8_t(bits & -bits);
}

// A dimension of size 1 may have any stride: it is never stepped over.
inline int64_t used(int64_t stride, int64_t size) { return size > 1 ? stride : 0; }

// Of shared memory for rows on their way from a warp's registers to global memory: 16 rows of up to 64
// floats.
constexpr int kStagedBytes = 16 * 64 * 4;

}  // namespace fovea::tile
