// Rows from global memory to swizzled tiles in shared memory. What a row lacks of the tile's width, and rows
// that are not there, become zero: padding never reaches a product, not even as 0 * NaN.
#pragma once

#include <type_traits>

#include "tile/memory.cuh"

namespace fovea::tile {

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
      copy_async<4>(to + byte, source, left < 4 ? left : 4);
    } else {
      using Bits = ElementBits<Element>;
      const auto bits = left > 0 ? load_global(reinterpret_cast<const Bits*>(source)) : Bits{0};
      store_shared(to + byte, bits);
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
  static constexpr int kStep = kThreads / kLanes, kSteps = kRows / kStep;
  using Swizzle = tile::Swizzle<kChunks>;
  static_assert(kChunks % kLanes == 0 && kRows % kStep == 0 && kStep % 8 == 0);

  // Eight lanes write at once. Four to a row, they have two rows, whose chunks must be permuted to
  // different halves of the banks: rows four apart, where the pattern is one of eight rows.
  static FOVEA_DEVICE uint32_t first_row(uint32_t thread = thread_index()) {
    const uint32_t row = thread / kLanes;
    if constexpr (kLanes == 4 && Swizzle::kPeriod == 8) {
      return (row & ~7u) | (row & 1) << 2 | (row >> 1 & 3);
    } else {
      return row;
    }
  }
  static FOVEA_DEVICE int first_column(uint32_t thread = thread_index()) {
    return int(thread % kLanes) * kElements;
  }
  // Of this thread's first chunk in a tile at `tile`.
  static FOVEA_DEVICE uint32_t first_address(uint32_t tile, uint32_t thread = thread_index()) {
    return tile + Swizzle::offset(first_row(thread), thread % kLanes);
  }

  // Of this thread's first chunk among rows that begin at `base`.
  static FOVEA_DEVICE const Element* first_source(const Element* base, int64_t stride) {
    return base + first_row() * stride + first_column();
  }

  // The chunks of one row from `row` on, the address of this thread's first, all of which exist.
  static FOVEA_DEVICE void copy_whole_row(uint32_t address, const Element* row) {
    FOVEA_UNROLL
    for (int chunk = 0; chunk < kChunks; chunk += kLanes) {
      copy_async_16(Swizzle::move(address, chunk), row + chunk * kElements);
    }
  }

  // The same where `width` elements of the row exist.
  static FOVEA_DEVICE void copy_row(uint32_t address, const Element* row, int width,
                                    int copy_bytes) {
    // Anew: held through the products, it made exact float32 of D 128 spill 8 bytes; of 16 bits, D 128
    // spilled 16 with it.
    const int left = width - first_column(sizeof(Element) == 4 ? thread_anew() : thread_index());
    if (copy_bytes == 16) {
      FOVEA_UNROLL
      for (int chunk = 0; chunk < kChunks; chunk += kLanes) {
        const int first = chunk * kElements;
        copy_async<16>(Swizzle::move(address, chunk), row + first,
                       valid_bytes<Element>(left - first));
      }
    } else {
      FOVEA_NO_UNROLL
      for (int chunk = 0; chunk < kChunks; chunk += kLanes) {
        const int first = chunk * kElements;
        copy_unaligned_chunk(Swizzle::move(address, chunk), row + first,
                             valid_bytes<Element>(left - first), copy_bytes >= 4);
      }
    }
  }

  // All rows of a tile from `from` on, this thread's first chunk.
  static FOVEA_DEVICE void copy_whole(uint32_t to, const Element* from, int64_t stride) {
    const uint32_t address = first_address(to);
    FOVEA_UNROLL
    for (int i = 0; i < kSteps; ++i, from += kStep * stride) {
      copy_whole_row(address + i * kStep * Swizzle::kRowBytes, from);
    }
  }

  // The same where `rows` of the tile's rows exist, with `width` elements each. A row that does not
  // is copied from `anywhere`, no byte of it.
  static FOVEA_DEVICE void copy(uint32_t to, const Element* from, int64_t stride, int32_t rows,
                                int width, int copy_bytes, const Element* anywhere) {
    // Anew, where two warps take the tile: held through the products, it made exact float32 with positions
    // spill 4 bytes on sm_120. Others spill with it, or take 1 % more instructions.
    constexpr bool kAnew = sizeof(Element) == 4 && kWidth == 64 && kThreads == 64;
    const uint32_t address = first_address(to, kAnew ? thread_anew() : thread_index());
    FOVEA_UNROLL
    for (int i = 0; i < kSteps; ++i, from += kStep * stride) {
      const bool present = int32_t(first_row()) + i * kStep < rows;
      copy_row(address + i * kStep * Swizzle::kRowBytes, present ? from : anywhere,
               present ? width : 0, copy_bytes);
    }
  }
};

}  // namespace fovea::tile
