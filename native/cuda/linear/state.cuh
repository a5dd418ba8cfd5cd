// A panel of a state in the registers of a warp: a thread has kRows of its rows, quads that are kLanes quads
// apart, of kColumns columns. A row of operands is read as quads from shared memory, by kLanes lanes side by
// side and by the others alike, so that no two meet in a bank.
#pragma once

#include "cuda/linear/tiles.h"
#include "tile/memory.cuh"
#include "tile/warp.cuh"

namespace fovea::linear::cuda {

FOVEA_DEVICE int32_t lane() { return int32_t(tile::thread_index() % tile::kWarp); }
FOVEA_DEVICE int32_t warp() { return int32_t(tile::thread_index() / tile::kWarp); }

FOVEA_DEVICE float load_float(uint32_t address) {
  return tile::as_float(tile::load_shared(address));
}
FOVEA_DEVICE void store_float(uint32_t address, float x) {
  tile::store_shared(address, tile::as_bits(x));
}

// Floats of quads that are `step` bytes apart.
template <int kCount>
FOVEA_DEVICE void load_quads(uint32_t address, uint32_t step, float (&x)[kCount]) {
  FOVEA_UNROLL
  for (int i = 0; i < kCount / 4; ++i) {
    uint32_t quad[4];
    tile::load_shared_quad(address + uint32_t(i) * step, quad);
    FOVEA_UNROLL
    for (int e = 0; e < 4; ++e) x[4 * i + e] = tile::as_float(quad[e]);
  }
}

// Sums over the lanes of a column, of the kColumns that a thread has: each lane gets that of its own column,
// number lane % kColumns.
template <int kLanes, int kColumns>
FOVEA_DEVICE float sum_of_own_column(float (&sums)[kColumns]) {
  FOVEA_UNROLL
  for (int half = kColumns / 2; half > 0; half /= 2) {
    const bool upper = (lane() & half) != 0;
    FOVEA_UNROLL
    for (int c = 0; c < half; ++c) {
      const float kept = upper ? sums[c + half] : sums[c];
      const float given = upper ? sums[c] : sums[c + half];
      sums[c] = kept + tile::shuffle_xor(given, uint32_t(half));
    }
  }
  FOVEA_UNROLL
  for (int mask = kColumns; mask < kLanes; mask *= 2) {
    sums[0] += tile::shuffle_xor(sums[0], uint32_t(mask));
  }
  return sums[0];
}

template <typename Panel>
class State {
 public:
  static constexpr int kRows = Panel::kRows, kColumns = Panel::kColumns;

  // The row of the state that is element r of a thread.
  static FOVEA_DEVICE int32_t row_of(int r) {
    return 4 * (r / 4 * Panel::kLanes + lane() % Panel::kLanes) + r % 4;
  }
  // The thread's part of a row of operands, an element for each row of the state.
  static FOVEA_DEVICE void load_rows(uint32_t row, float (&x)[kRows]) {
    load_quads(row + 16 * uint32_t(lane() % Panel::kLanes), 16 * Panel::kLanes, x);
  }

  // body(x, row, c) for the elements of a thread.
  template <typename Body>
  FOVEA_DEVICE void each(Body body) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      FOVEA_UNROLL
      for (int c = 0; c < kColumns; ++c) body(s_[r][c], row_of(r), c);
    }
  }

  FOVEA_DEVICE void scale(float a) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      FOVEA_UNROLL
      for (int c = 0; c < kColumns; ++c) s_[r][c] *= a;
    }
  }
  FOVEA_DEVICE void scale_rows(const float (&a)[kRows]) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      FOVEA_UNROLL
      for (int c = 0; c < kColumns; ++c) s_[r][c] *= a[r];
    }
  }
  FOVEA_DEVICE void scale_columns(const float (&a)[kColumns]) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      FOVEA_UNROLL
      for (int c = 0; c < kColumns; ++c) s_[r][c] *= a[c];
    }
  }

  // S += x y^T.
  FOVEA_DEVICE void update(const float (&x)[kRows], const float (&y)[kColumns]) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      FOVEA_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        s_[r][c] = tile::fused_multiply_add(x[r], y[c], s_[r][c]);
      }
    }
  }

  // The lane's own column of sums + w^T S, `sums` being what a thread begins with.
  FOVEA_DEVICE float read(const float (&w)[kRows], float (&sums)[kColumns]) const {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      FOVEA_UNROLL
      for (int c = 0; c < kColumns; ++c) {
        sums[c] = tile::fused_multiply_add(w[r], s_[r][c], sums[c]);
      }
    }
    return sum_of_own_column<Panel::kLanes>(sums);
  }
  FOVEA_DEVICE float read(const float (&w)[kRows]) const {
    float sums[kColumns] = {};
    return read(w, sums);
  }

 private:
  float s_[kRows][kColumns] = {};
};

}  // namespace fovea::linear::cuda
