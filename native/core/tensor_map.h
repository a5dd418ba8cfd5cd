// A tensor in global memory as the copy engine of a GPU sees it (TMA, sm_90): boxes of it go to shared memory and back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace fovea {

// Dimension 0 is the innermost, and contiguous.
struct TensorBoxes {
  const void* base;
  uint32_t rank;           // 1 to 5
  uint32_t element_bytes;  // 1, 2 or 4
  uint64_t size[5];
  uint64_t stride[5];      // bytes; of dimension 0 element_bytes
  uint32_t box[5];         // elements that a copy moves
  uint32_t swizzle_bytes;  // 0 or 128: the span in which 16-byte chunks are permuted
};

// The same as an engine reads it: a CUtensorMap, or in the simulator TensorBoxes.
struct alignas(128) TensorMap {
  unsigned char bytes[128];
};
static_assert(sizeof(TensorBoxes) <= sizeof(TensorMap));

// Whether an engine takes them: what cuTensorMapEncodeTiled asks for (CUDA driver API, "Tensor Map Object Management"),
// of the host and the simulator alike. If not, what is wrong goes to `why`: "of rank 6: expected 1 to 5".
inline bool check_boxes(const TensorBoxes& map, char* why, size_t length) {
  constexpr uint32_t kPacket = 16;
  const auto refuse = [&](const char* format, auto... values) {
    std::snprintf(why, length, format, values...);
    return false;
  };
  if (map.rank < 1 || map.rank > 5) return refuse("of rank %u: expected 1 to 5", map.rank);
  if (map.element_bytes != 1 && map.element_bytes != 2 && map.element_bytes != 4) {
    return refuse("of elements of %u bytes: expected 1, 2 or 4", map.element_bytes);
  }
  if (reinterpret_cast<uintptr_t>(map.base) % kPacket != 0) return refuse("%s", "whose tensor is misaligned");
  for (uint32_t d = 0; d < map.rank; ++d) {
    if (map.size[d] == 0 || map.size[d] > uint64_t{1} << 32) {
      return refuse("whose size of dimension %u is not 1 to 2^32", d);
    }
    if (map.box[d] == 0 || map.box[d] > 256) return refuse("whose box of dimension %u is not 1 to 256", d);
    if (d > 0 && (map.stride[d] == 0 || map.stride[d] % kPacket != 0 || map.stride[d] >= uint64_t{1} << 40)) {
      return refuse("whose stride of dimension %u is no multiple of 16 below 2^40", d);
    }
  }
  const uint32_t row = map.box[0] * map.element_bytes;
  if (row % kPacket != 0) return refuse("whose box has rows of %u bytes: expected a multiple of 16", row);
  if (map.swizzle_bytes != 0 && map.swizzle_bytes != 128) {
    return refuse("%s", "with a swizzle that is not 0 or 128 bytes");
  }
  if (map.swizzle_bytes != 0 && row > map.swizzle_bytes) {
    return refuse("whose box has rows of %u bytes, wider than its swizzle", row);
  }
  return true;
}

}  // namespace fovea
