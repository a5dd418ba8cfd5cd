// A row of a thread: where it lies, its elements, and sums over it.
#pragma once

#include "cuda/norm/params.h"
#include "cuda/packets.cuh"
#include "tile/warp.cuh"

namespace fovea::norm::cuda {

// A thread among those of its row, and that row among those of its block.
struct Place {
  int32_t lane, group;

  FOVEA_DEVICE explicit Place(const NormParams& p)
      : lane(int32_t(tile::thread_index()) % p.lanes),
        group(int32_t(tile::thread_index()) / p.lanes) {}
};

// One of `all` rows, of all heads or of one.
struct RowIndex {
  int32_t batch, position, head;

  FOVEA_DEVICE RowIndex(const NormParams& p, int32_t number, int32_t own_head) {
    const bool every = p.own_heads == 1;
    const int32_t place = every ? number / p.heads : number;
    head = every ? number - place * p.heads : own_head;
    batch = place / p.length;
    position = place - batch * p.length;
  }

  FOVEA_DEVICE int64_t at(const int64_t (&stride)[3]) const {
    return batch * stride[0] + position * stride[1] + head * stride[2];
  }
  FOVEA_DEVICE int64_t at(const int64_t (&stride)[2]) const {
    return batch * stride[0] + position * stride[1] + head;
  }
};

// `otherwise` where there are no such rows.
template <int kElements>
FOVEA_DEVICE void load_floats(const HeadRows& rows, int64_t at, float otherwise, float (&x)[kElements]) {
  if (rows.data == nullptr) {
    FOVEA_UNROLL
    for (int e = 0; e < kElements; ++e) x[e] = otherwise;
  } else if constexpr (kElements == 1) {
    x[0] = tile::load_global(rows.data + at);
  } else {
    FOVEA_UNROLL
    for (int e = 0; e < kElements; e += 4) {
      uint32_t words[4];
      load_packet<4, 4>(PacketTensor{rows.data, FOVEA_FLOAT32, rows.whole}, at + e, words);
      FOVEA_UNROLL
      for (int i = 0; i < 4; ++i) x[e + i] = tile::as_float(words[i]);
    }
  }
}

// What a thread has of a row at a time: kHeld packets, `lanes` apart, all of which are asked for before the
// first is there.
template <int kElements, int kHeld>
struct Packets {
  float x[kHeld][kElements];

  FOVEA_DEVICE void load(const NormParams& p, const PacketTensor& tensor, int64_t row, int32_t first) {
    if (tensor.dtype == FOVEA_FLOAT32) {
      load_typed<4>(p, tensor, row, first);
    } else {
      load_typed<2>(p, tensor, row, first);
    }
  }

 private:
  // Accesses are of 16 bytes, two for a packet of float32.
  template <int kBytes>
  FOVEA_DEVICE void load_typed(const NormParams& p, const PacketTensor& tensor, int64_t row, int32_t first) {
    constexpr int kPart = kElements == 1 ? 1 : 16 / kBytes, kParts = kElements / kPart;
    constexpr int kWords = (kBytes * kPart + 3) / 4;
    uint32_t words[kHeld][kParts][kWords] = {};
    FOVEA_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      const int32_t packet = first + k * p.lanes;
      if (packet >= p.packets) break;
      FOVEA_UNROLL
      for (int i = 0; i < kParts; ++i) {
        load_packet<kBytes, kPart>(tensor, row + packet * kElements + i * kPart, words[k][i]);
      }
    }
    FOVEA_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      FOVEA_UNROLL
      for (int i = 0; i < kParts; ++i) {
        float part[kPart];
        widen_packet<kBytes, kPart>(tensor, words[k][i], part);
        FOVEA_UNROLL
        for (int e = 0; e < kPart; ++e) x[k][i * kPart + e] = part[e];
      }
    }
  }
};

// Rounded to the type of the tensor.
template <int kElements>
FOVEA_DEVICE void store_floats(const PacketTensor& tensor, int64_t at, const float (&x)[kElements]) {
  const auto store = [&](auto bytes) {
    constexpr int kBytes = decltype(bytes)::value;
    constexpr int kPart = kElements == 1 ? 1 : 16 / kBytes;
    FOVEA_UNROLL
    for (int i = 0; i < kElements; i += kPart) {
      uint32_t words[(kBytes * kPart + 3) / 4];
      float part[kPart];
      FOVEA_UNROLL
      for (int e = 0; e < kPart; ++e) part[e] = x[i + e];
      round_packet<kBytes, kPart>(tensor, part, words);
      store_packet<kBytes, kPart>(tensor, at + i, words);
    }
  };
  if (tensor.dtype == FOVEA_FLOAT32) {
    store(std::integral_constant<int, 4>{});
  } else {
    store(std::integral_constant<int, 2>{});
  }
}

FOVEA_DEVICE float load_element(const PacketTensor& tensor, int64_t at) {
  float x = 0;
  tile::with_type(tensor.dtype, [&](auto* type) {
    x = tile::widen(tile::load_global(static_cast<decltype(type)>(tensor.data) + at));
  });
  return x;
}

// The sum of a packet, in pairs: a term is rounded three times.
template <int kElements>
FOVEA_DEVICE float sum_of(const float (&x)[kElements]) {
  if constexpr (kElements == 1) {
    return x[0];
  } else {
    return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
  }
}

// Sums over the threads of a row, the same for each, of all rows of a block at once.
class RowSums {
 public:
  FOVEA_DEVICE RowSums(const NormParams& params, const Place& place) : p(params), place_(place) {}

  template <int kSums>
  FOVEA_DEVICE void add(float (&sums)[kSums]) {
    const int32_t within = p.lanes < tile::kWarp ? p.lanes : tile::kWarp;
    for (int32_t mask = within / 2; mask > 0; mask /= 2) {
      FOVEA_UNROLL
      for (int n = 0; n < kSums; ++n) sums[n] += tile::shuffle_xor(sums[n], uint32_t(mask));
    }
    if (p.lanes <= tile::kWarp) return;
    // Which half of the memory others still read of the sums before.
    const uint32_t half = tile::shared_base() + (turn_ ^= 1) * (kExchangeBytes / 2);
    const int32_t warps = p.lanes / tile::kWarp;
    if (place_.lane % tile::kWarp == 0) {
      FOVEA_UNROLL
      for (int n = 0; n < kSums; ++n) {
        tile::store_shared(address(half, n, place_.group * warps + place_.lane / tile::kWarp),
                           tile::as_bits(sums[n]));
      }
    }
    tile::sync_block();
    FOVEA_UNROLL
    for (int n = 0; n < kSums; ++n) sums[n] = 0;
    FOVEA_NO_UNROLL
    for (int32_t warp = 0; warp < warps; ++warp) {
      FOVEA_UNROLL
      for (int n = 0; n < kSums; ++n) {
        sums[n] += tile::as_float(tile::load_shared(address(half, n, place_.group * warps + warp)));
      }
    }
  }

 private:
  static FOVEA_DEVICE uint32_t address(uint32_t half, int n, int32_t warp) {
    return half + 4 * (uint32_t(n) * kMostWarps + uint32_t(warp));
  }

  const NormParams& p;
  const Place place_;
  uint32_t turn_ = 0;
};

// What makes z of a row. The mean is pivot + rest, a float near it and how far it is: x - pivot loses nothing
// where x is near, so that a row far from 0 keeps its digits.
struct Moments {
  float pivot = 0, rest = 0, inverse = 0;

  FOVEA_DEVICE float z(float x) const {
    return tile::fused_multiply_add(x - pivot, inverse, -rest * inverse);
  }

  // From the mean of differences to `first`. It is finite, so that the mean of an infinity and others is that
  // infinity.
  FOVEA_DEVICE void set_pivot(float first, float mean) {
    pivot = first + mean;
    if (!(pivot - pivot == 0)) pivot = 0;
  }
  // From the means of d = x - pivot and d^2.
  FOVEA_DEVICE void set(float mean, float squares, float epsilon) {
    rest = mean;
    const float square = mean * mean, variance = square > squares ? 0.0f : squares - square;
    inverse = 1.0f / tile::square_root(variance + epsilon);
  }
};

}  // namespace fovea::norm::cuda
