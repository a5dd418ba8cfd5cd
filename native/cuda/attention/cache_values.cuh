// Elements of a cache to the type that a product takes: exactly, of whatever type they are.
#pragma once

#include "core/cache_types.h"
#include "tile/convert.cuh"
#include "tile/shared.cuh"

namespace fovea::attention::cuda {

// The power of two in a number.
template <unsigned kNumber>
constexpr int kTwos = kNumber % 2 == 1 ? 0 : 1 + kTwos<kNumber / 2>;
template <>
inline constexpr int kTwos<0> = 0;

// Of 16 bytes, element `index`. Integers become the last bits of a float whose last bit is worth 1: two
// instructions, where a conversion takes one that a multiprocessor has a quarter as many of.
template <typename Raw>
FOVEA_DEVICE float cache_value(const uint32_t (&words)[4], int index) {
  if constexpr (std::is_same_v<Raw, int4x2>) {
    const uint32_t bits = words[index / 8] >> index % 8 * 4 & 0xf;
    return tile::as_float((bits ^ 0x8) | 0x4b000000) - (0x1p23f + 8);
  } else if constexpr (sizeof(Raw) == 1) {
    const uint32_t bits = words[index / 4] >> index % 4 * 8 & 0xff;
    if constexpr (std::is_same_v<Raw, int8_t>) {
      return tile::as_float((bits ^ 0x80) | 0x4b000000) - (0x1p23f + 128);
    } else {
      static_assert(std::is_same_v<Raw, float8_e4m3>);
      return to_float(float8_e4m3{uint8_t(bits)});
    }
  } else {
    return tile::element<Raw>(words, index);
  }
}

// Chunks of 16 bytes that one of elements in a cache comes to, as a power of two.
template <typename Raw, typename Element>
constexpr int kWidening = kTwos<kValuesOf<Raw> * unsigned(sizeof(Element) / sizeof(Raw))>;

// Calls body with a null pointer of the type of a cache, unless it is that of the product. Types that a product of
// 16 bits is not exact for do not meet it.
template <typename Element, typename Body>
FOVEA_DEVICE void with_cache_type(int32_t dtype, Body body) {
  if (dtype == FOVEA_INT8) {
    body(static_cast<int8_t*>(nullptr));
  } else if (dtype == FOVEA_INT4X2) {
    body(static_cast<int4x2*>(nullptr));
  } else if (dtype == FOVEA_FLOAT8_E4M3) {
    body(static_cast<float8_e4m3*>(nullptr));
  } else if constexpr (sizeof(Element) == 4) {
    if (dtype == FOVEA_FLOAT16) body(static_cast<float16*>(nullptr));
    if (dtype == FOVEA_BFLOAT16) body(static_cast<bfloat16*>(nullptr));
  }
}

// A chunk of a cache's elements, where the first of its chunks of `Element` belongs, to all of these: those of a
// row in shared memory from chunk `first` on.
template <typename Raw, typename Element, typename Swizzle>
FOVEA_DEVICE void widen_chunk(uint32_t tile, uint32_t row, uint32_t first) {
  constexpr int kElements = 16 / int(sizeof(Element));
  uint32_t words[4];
  tile::load_shared_quad(tile + Swizzle::offset(row, first), words);
  FOVEA_UNROLL
  for (int chunk = 0; chunk < 1 << kWidening<Raw, Element>; ++chunk) {
    uint32_t out[4];
    FOVEA_UNROLL
    for (int w = 0; w < 4; ++w) {
      if constexpr (sizeof(Element) == 4) {
        out[w] = tile::as_bits(cache_value<Raw>(words, chunk * kElements + w));
      } else {
        out[w] = tile::pack<Element>(cache_value<Raw>(words, chunk * kElements + 2 * w),
                                     cache_value<Raw>(words, chunk * kElements + 2 * w + 1));
      }
    }
    const uint32_t to = tile + Swizzle::offset(row, first + uint32_t(chunk));
    tile::store_shared_pair(to, out[0], out[1]);
    tile::store_shared_pair(to + 8, out[2], out[3]);
  }
}

template <typename Raw>
FOVEA_DEVICE float load_wide(const Raw* from) {
  if constexpr (sizeof(Raw) == 1) {
    return to_float(Raw{tile::load_global(&from->bits)});
  } else {
    return tile::widen(tile::load_global(from));
  }
}

// Rows of a tensor to a tile of a wider type, as TileCopy brings others; offset_of(row, present) is where one
// begins, if it is there. Of queries, which come once: element by element.
template <int kRows, int kWidth, int kThreads, typename Element, typename Raw, typename Offset>
FOVEA_DEVICE void load_wide_rows_of(const Raw* tensor, uint32_t to, int width, Offset offset_of) {
  constexpr int kElements = 16 / int(sizeof(Element)), kChunks = kWidth / kElements;
  using Swizzle = tile::Swizzle<kChunks>;
  FOVEA_NO_UNROLL
  for (uint32_t n = tile::thread_anew(); n < kRows * kChunks; n += kThreads) {
    const uint32_t row = n / kChunks, chunk = n % kChunks;
    bool present = true;
    const Raw* const from = tensor + offset_of(row, present);
    const auto value = [&](int element) {
      const int column = int(chunk) * kElements + element;
      return present && column < width ? load_wide(from + column) : 0.0f;
    };
    uint32_t words[4];
    FOVEA_UNROLL
    for (int w = 0; w < 4; ++w) {
      if constexpr (sizeof(Element) == 4) {
        words[w] = tile::as_bits(value(w));
      } else {
        words[w] = tile::pack<Element>(value(2 * w), value(2 * w + 1));
      }
    }
    const uint32_t at = to + Swizzle::offset(row, chunk);
    tile::store_shared_pair(at, words[0], words[1]);
    tile::store_shared_pair(at + 8, words[2], words[3]);
  }
}

// Calls it with the type of queries, and of keys of distances, unless it is that of the product. A product of float16
// takes those of 8 bits, too.
template <int kRows, int kWidth, int kThreads, typename Element, typename Offset>
FOVEA_DEVICE void load_wide_rows(uint32_t to, const void* tensor, int32_t dtype, int width, Offset offset_of) {
  const auto load = [&](auto* raw) { load_wide_rows_of<kRows, kWidth, kThreads, Element>(raw, to, width, offset_of); };
  if constexpr (sizeof(Element) == 4) {
    if (dtype == FOVEA_FLOAT16) return load(static_cast<const float16*>(tensor));
    if (dtype == FOVEA_BFLOAT16) return load(static_cast<const bfloat16*>(tensor));
  }
  load(static_cast<const float8_e4m3*>(tensor));
}

}  // namespace fovea::attention::cuda
