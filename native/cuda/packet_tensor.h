// A tensor whose neighbours in memory a thread reads or writes several at a time.
#pragma once

#include <cstdint>

namespace fovea::cuda {

// Elements of the widest packet: 16 bytes of a 16-bit type.
constexpr int kMostPacket = 8;

struct PacketTensor {
  void* data;
  int32_t dtype;
  bool whole;  // every packet is at a multiple of its size
};

// Whether packets begin at multiples of their size wherever strides are such multiples.
inline bool is_whole(const void* data, int packet, int element_bytes) {
  return reinterpret_cast<uintptr_t>(data) % uintptr_t(packet * element_bytes) == 0;
}

}  // namespace fovea::cuda
