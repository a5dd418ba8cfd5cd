// Packets of neighbours as the accesses of a thread, and what they are as floats.
#pragma once

#include "cuda/packet_tensor.h"
#include "tile/convert.cuh"
#include "tile/memory.cuh"

namespace fovea::cuda {

// Elements of types of kFirst and kSecond bytes: which of the 16-bit types it is, a kernel knows
// when it runs. To convert both ways and choose takes one instruction more for an element of what
// memory leaves time for, and saves half of the code.
template <int kFirst, int kSecond, int kElements>
struct PacketTypes {
  static constexpr int kPacket = kElements;

  template <int kTensor>
  static constexpr int kBytes = kTensor == 0 ? kFirst : kSecond;
  template <int kTensor>
  static constexpr int kWords = (kBytes<kTensor> * kPacket + 3) / 4;
};

// Calls body with a null pointer of the PacketTypes of one tensor, or of both.
template <typename Body>
FOVEA_DEVICE void with_packet_type(const PacketTensor& tensor, int32_t packet, Body body) {
  if (tensor.dtype == FOVEA_FLOAT32) {
    if (packet == 1) return body(static_cast<PacketTypes<4, 4, 1>*>(nullptr));
    return body(static_cast<PacketTypes<4, 4, 4>*>(nullptr));
  }
  if (packet == 1) return body(static_cast<PacketTypes<2, 2, 1>*>(nullptr));
  body(static_cast<PacketTypes<2, 2, 8>*>(nullptr));
}
template <typename Body>
FOVEA_DEVICE void with_packet_types(const PacketTensor& first, const PacketTensor& second,
                                    int32_t packet, Body body) {
  const bool is_wide = first.dtype == FOVEA_FLOAT32;
  if (is_wide == (second.dtype == FOVEA_FLOAT32)) return with_packet_type(first, packet, body);
  if (is_wide) {
    if (packet == 1) return body(static_cast<PacketTypes<4, 2, 1>*>(nullptr));
    return body(static_cast<PacketTypes<4, 2, 4>*>(nullptr));
  }
  if (packet == 1) return body(static_cast<PacketTypes<2, 4, 1>*>(nullptr));
  body(static_cast<PacketTypes<2, 4, 4>*>(nullptr));
}

template <int kBytes, int kPacket, int kWords>
FOVEA_DEVICE void load_packet(const PacketTensor& tensor, int64_t at, uint32_t (&words)[kWords]) {
  const char* const from = static_cast<const char*>(tensor.data) + at * kBytes;
  if (kPacket > 1 && tensor.whole) {
    if constexpr (kWords == 4) {
      tile::load_quad(from, words);
    } else if constexpr (kWords == 2) {
      tile::load_pair(from, words[0], words[1]);
    }
    return;
  }
  if constexpr (kBytes == 4) {
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      words[e] = tile::load_global(reinterpret_cast<const uint32_t*>(from) + e);
    }
  } else {
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      const uint32_t half = tile::load_global(reinterpret_cast<const uint16_t*>(from) + e);
      words[e / 2] = e % 2 == 0 ? half : words[e / 2] | half << 16;
    }
  }
}

template <int kBytes, int kPacket, int kWords>
FOVEA_DEVICE void store_packet(const PacketTensor& tensor, int64_t at,
                               const uint32_t (&words)[kWords]) {
  char* const to = static_cast<char*>(tensor.data) + at * kBytes;
  if (kPacket > 1 && tensor.whole) {
    if constexpr (kWords == 4) {
      tile::store_quad(to, words);
    } else if constexpr (kWords == 2) {
      tile::store_pair(to, words[0], words[1]);
    }
    return;
  }
  FOVEA_UNROLL
  for (int e = 0; e < kPacket; ++e) {
    if constexpr (kBytes == 4) {
      tile::store_global(reinterpret_cast<uint32_t*>(to) + e, words[e]);
    } else {
      tile::store_global(reinterpret_cast<uint16_t*>(to) + e, uint16_t(words[e / 2] >> e % 2 * 16));
    }
  }
}

template <int kBytes, int kPacket, int kWords>
FOVEA_DEVICE void widen_packet(const PacketTensor& tensor, const uint32_t (&words)[kWords],
                               float (&x)[kPacket]) {
  const bool half = tensor.dtype == FOVEA_FLOAT16;
  FOVEA_UNROLL
  for (int e = 0; e < kPacket; ++e) {
    if constexpr (kBytes == 4) {
      x[e] = tile::as_float(words[e]);
    } else {
      const auto bits = uint16_t(words[e / 2] >> e % 2 * 16);
      x[e] = half ? tile::widen(float16{bits}) : tile::widen(bfloat16{bits});
    }
  }
}

template <int kBytes, int kPacket, int kWords>
FOVEA_DEVICE void round_packet(const PacketTensor& tensor, const float (&x)[kPacket],
                               uint32_t (&words)[kWords]) {
  const bool half = tensor.dtype == FOVEA_FLOAT16;
  if constexpr (kBytes == 4) {
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) words[e] = tile::as_bits(x[e]);
  } else {
    FOVEA_UNROLL
    for (int i = 0; i < kWords; ++i) {
      const float low = x[2 * i], high = kPacket == 1 ? 0.0f : x[(2 * i + 1) % kPacket];
      words[i] = half ? tile::pack<float16>(low, high) : tile::pack<bfloat16>(low, high);
    }
  }
}

}  // namespace fovea::cuda
