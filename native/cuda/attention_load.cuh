// Rows of query, key and value from global memory to swizzled tiles in shared memory. What a row
// lacks of the tile's width, and rows that are not there, become zero: padding never reaches a
// product, not even as 0 * NaN.
#pragma once

#include "cuda/attention_rows.cuh"
#include "tile/mma.cuh"

namespace fovea {

// The bits of an element, for copies that no asynchronous instruction is narrow enough for.
template <typename Element>
using ElementBits = std::conditional_t<sizeof(Element) == 2, uint16_t, uint32_t>;

// Bytes of a chunk that `count` elements from its first fill.
template <typename Element>
FOVEA_DEVICE uint32_t valid_bytes(int count) {
  constexpr int kElements = 16 / sizeof(Element);
  return (count < 0 ? 0 : count > kElements ? kElements : count) * int(sizeof(Element));
}

// A chunk whose address is no multiple of 16: by words where it is one of 4, else element by element
// through registers.
template <typename Element>
FOVEA_DEVICE void copy_unaligned_chunk(uint32_t to, const Element* from, uint32_t valid,
                                       bool words) {
  FOVEA_NO_UNROLL
  for (uint32_t byte = 0; byte < 16; byte += words ? 4 : sizeof(Element)) {
    const auto* source = reinterpret_cast<const unsigned char*>(from) + byte;
    const uint32_t left = valid > byte ? valid - byte : 0;
    if (words) {
      tile::copy_async<4>(to + byte, source, left < 4 ? left : 4);
    } else {
      using Bits = ElementBits<Element>;
      const auto bits =
          left > 0 ? tile::load_global(reinterpret_cast<const Bits*>(source)) : Bits{0};
      tile::store_shared(to + byte, bits);
    }
  }
}

// How kThreads threads share a tile of kRows rows: neighbouring threads take neighbouring chunks, at
// least four, and every thread the same chunks of rows that are kStep apart, so that it needs one
// address in either memory.
template <int kRows, int kWidth, int kThreads, typename Element>
struct TileCopy {
  static constexpr int kElements = 16 / sizeof(Element);
  static constexpr int kChunks = kWidth / kElements;
  static constexpr int kLanes = kThreads / kRows > 4 ? kThreads / kRows : 4;
  static constexpr int kStep = kThreads / kLanes;
  using Swizzle = tile::Swizzle<kChunks>;
  static_assert(kChunks % kLanes == 0 && kRows % kStep == 0 && kStep % 8 == 0);

  static FOVEA_DEVICE uint32_t first_row() { return tile::thread_index() / kLanes; }
  static FOVEA_DEVICE int first_chunk() { return int(tile::thread_index() % kLanes); }

  // This thread's chunks of row first_row() + i * kStep, of which `width` elements exist.
  static FOVEA_DEVICE void copy_row(uint32_t to, int i, const Element* row, int width,
                                    int copy_bytes) {
    const uint32_t address =
        to + Swizzle::offset(first_row(), first_chunk()) + i * kStep * Swizzle::kRowBytes;
    const int column = first_chunk() * kElements;
    if (copy_bytes == 16) {
      FOVEA_UNROLL
      for (int chunk = 0; chunk < kChunks; chunk += kLanes) {
        const int first = column + chunk * kElements;
        tile::copy_async<16>(Swizzle::move(address, chunk), row + first,
                             valid_bytes<Element>(width - first));
      }
    } else {
      FOVEA_NO_UNROLL
      for (int chunk = 0; chunk < kChunks; chunk += kLanes) {
        const int first = column + chunk * kElements;
        copy_unaligned_chunk(Swizzle::move(address, chunk), row + first,
                             valid_bytes<Element>(width - first), copy_bytes >= 4);
      }
    }
  }
};

// Rows [first, first + kRows) of a tile that is kWidth elements wide, by all threads; rows from `end`
// on are zero. `base` is row 0, of `width` elements; `stride` leads to the next.
template <int kRows, int kWidth, int kThreads, typename Element>
FOVEA_DEVICE void load_tile(uint32_t to, const Element* base, int64_t stride, int32_t first,
                            int32_t end, int width, int copy_bytes) {
  using Copy = TileCopy<kRows, kWidth, kThreads, Element>;
  FOVEA_UNROLL
  for (int i = 0; i < kRows / Copy::kStep; ++i) {
    const int32_t row = first + int32_t(Copy::first_row()) + i * Copy::kStep;
    const bool present = row < end;
    Copy::copy_row(to, i, present ? base + row * stride : base, present ? width : 0, copy_bytes);
  }
}

// The rows of a block in a tensor like query, of `width` elements each.
template <int kRows, int kWidth, int kThreads, typename Element>
FOVEA_DEVICE void load_rows_tile(uint32_t to, const Element* tensor, const int64_t (&stride)[3],
                                 int width, int copy_bytes, const AttentionRows& rows) {
  using Copy = TileCopy<kRows, kWidth, kThreads, Element>;
  FOVEA_UNROLL
  for (int i = 0; i < kRows / Copy::kStep; ++i) {
    const uint32_t row = Copy::first_row() + i * Copy::kStep;
    const bool present = int32_t(row) < rows.count;
    Copy::copy_row(
        to, i, present ? tensor + rows.offset(stride, rows.position(row), rows.head(row)) : tensor,
        present ? width : 0, copy_bytes);
  }
}

}  // namespace fovea
