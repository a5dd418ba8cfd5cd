// From the sums of a warp to rows of a tensor.
#pragma once

#include "tile/convert.cuh"
#include "tile/fragment.cuh"
#include "tile/rows.h"

namespace fovea::tile {

// Rows of sums on their way to global memory, by way of shared memory: there the fragments of a warp
// become rows, which leave in pieces of 16 bytes, and one code serves every type and alignment. (Stored
// from registers, it took 87 of the 144 KB of the D 128 kernel.)
struct RowsOut {
  void* tensor;
  int32_t dtype;
  int width;  // elements of a row
  bool add;   // to what is there
};

// Nothing multiplies rows on their way.
struct NoGates {
  static constexpr bool kNone = true;
};

// A row of a tensor, if it has it.
struct RowPlace {
  bool exists;
  int64_t offset;  // in elements
};

template <int kPieces>
struct StagedRows {
  uint32_t address;
  static constexpr int kColumns = 8 * kPieces;
  static_assert(kColumns >= 32 && 16 * kColumns * 4 <= kStagedBytes);

  // Of a chunk of four floats. A store of the fragments meets four rows and two chunks of each at a
  // time, which must differ in bank.
  FOVEA_DEVICE uint32_t chunk(uint32_t row, uint32_t index) const {
    return address + row * kColumns * 4 + (index ^ row % 4 * 2) * 16;
  }

  // Pieces `first` to `first + kPieces` of the warp's sums, as many as there are.
  template <int kAll, typename Scaled>
  FOVEA_DEVICE void put(const float (&sums)[kAll][4], int first, Scaled scaled) const {
    const uint32_t lane = thread_index() % kWarp;
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) {
      FOVEA_UNROLL
      for (int j = 0; j < (kPieces < kAll ? kPieces : kAll); ++j) {
        store_shared_pair(chunk(lane / 4 + 8 * h, 2 * j + lane % 4 / 2) + lane % 2 * 8,
                          as_bits(scaled(h, sums[first + j][2 * h])),
                          as_bits(scaled(h, sums[first + j][2 * h + 1])));
      }
    }
  }

  // x *= factor(row, column) for all 16 rows. One at a time: on their way out, eight to a thread, factors made
  // the kernels of D 128 and more spill.
  template <typename Factor>
  FOVEA_DEVICE void multiply(Factor factor) const {
    FOVEA_NO_UNROLL
    for (uint32_t i = thread_index() % kWarp; i < 16 * kColumns; i += kWarp) {
      const uint32_t row = i / kColumns, column = i % kColumns;
      const uint32_t at = chunk(row, column / 4) + column % 4 * 4;
      store_shared(at, as_bits(as_float(load_shared(at)) * factor(row, int(column))));
    }
  }

  FOVEA_DEVICE float element(uint32_t row, uint32_t column) const {
    return as_float(load_shared(chunk(row, column / 4) + column % 4 * 4));
  }

  // Elements [column, column + 16 / sizeof(Out)) of a row, of which `count` exist.
  template <typename Out>
  FOVEA_DEVICE void take(uint32_t row, uint32_t column, Out* to, int count, bool add) const {
    constexpr int kElements = 16 / int(sizeof(Out));
    if (count >= kElements && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
      uint32_t words[kElements];
      FOVEA_UNROLL
      for (int i = 0; i < kElements / 4; ++i) {
        uint32_t quad[4];
        load_shared_quad(chunk(row, column / 4 + i), quad);
        FOVEA_UNROLL
        for (int e = 0; e < 4; ++e) words[4 * i + e] = quad[e];
      }
      uint32_t quad[4];
      if (add) {
        load_quad(to, quad);
        FOVEA_UNROLL
        for (int e = 0; e < kElements; ++e) {
          words[e] = as_bits(as_float(words[e]) + tile::element<Out>(quad, e));
        }
      }
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) {
        if constexpr (sizeof(Out) == 4) {
          quad[e] = words[e];
        } else {
          quad[e] = pack<Out>(as_float(words[2 * e]), as_float(words[2 * e + 1]));
        }
      }
      store_quad(to, quad);
    } else {
      FOVEA_NO_UNROLL
      for (int e = 0; e < kElements && e < count; ++e) {
        const uint32_t at = column + e;
        float x = element(row, at);
        if (add) x += widen(load_global(to + e));
        store_rounded(to + e, x);
      }
    }
  }

  // All 16 rows; `width` elements are left of each.
  template <typename Out, typename Place>
  FOVEA_DEVICE void take_rows(Out* tensor, int first_column, int width, bool add,
                              Place place) const {
    constexpr int kElements = 16 / int(sizeof(Out));
    constexpr uint32_t kChunks = kColumns / kElements;
    const uint32_t lane = thread_index() % kWarp, column = lane % kChunks * kElements;
    FOVEA_NO_UNROLL
    for (uint32_t row = lane / kChunks; row < 16; row += kWarp / kChunks) {
      const RowPlace at = place(row);
      if (!at.exists) continue;
      const int from = first_column + int(column);
      take(row, column, tensor + at.offset + from, width - from, add);
    }
  }
};

// The sums of a warp: 16 kM rows, of which place(row) tells where they go; columns from the piece of
// eight `first_piece` on. scaled(i, h, x) is what becomes of sums of a thread's rows 16 i + 8 h +
// lane / 4. `stage` is shared memory of the warp's own. `gates` multiply rows.
template <int kM, int kColumns, typename Scaled, typename Place, typename Gates = NoGates>
FOVEA_DEVICE void store_sums(const RowsOut& out, uint32_t stage, const Fragment<kM, kColumns>& sums,
                             int first_piece, Scaled scaled, Place place, const Gates& gates = {}) {
  constexpr int kPieces = kColumns % 8 == 0 ? 8 : 4;
  static_assert(kColumns % kPieces == 0);
  const StagedRows<kPieces> staged{stage};
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int first = 0; first < kColumns; first += kPieces) {
      sync_warp();  // the last rows have been read
      staged.put(sums[i], first, [&](int h, float x) { return scaled(i, h, x); });
      sync_warp();
      const int first_column = 8 * (first_piece + first);
      if constexpr (!Gates::kNone) {
        if (gates.given) {
          staged.multiply([&](uint32_t row, int column) {
            return gates.of(16 * i + row, first_column + column);
          });
          sync_warp();
        }
      }
      const auto take = [&](auto* tensor) {
        staged.take_rows(tensor, first_column, out.width, out.add,
                         [&](uint32_t row) { return place(16 * i + row); });
      };
      if (out.dtype == FOVEA_FLOAT32) {
        take(static_cast<float*>(out.tensor));
      } else if (out.dtype == FOVEA_FLOAT16) {
        take(static_cast<float16*>(out.tensor));
      } else {
        take(static_cast<bfloat16*>(out.tensor));
      }
    }
  }
}

}  // namespace fovea::tile
