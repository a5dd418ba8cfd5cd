// Floats of shared memory, and rows of a tensor on their way there.
#pragma once

#include "cuda/pairs/tiles.h"
#include "tile/convert.cuh"
#include "tile/warp.cuh"

namespace fovea::pairs::cuda {

FOVEA_DEVICE int32_t lane() { return int32_t(tile::thread_index() % tile::kWarp); }
FOVEA_DEVICE int32_t warp() { return int32_t(tile::thread_index() / tile::kWarp); }

FOVEA_DEVICE float load_float(uint32_t address) {
  return tile::as_float(tile::load_shared(address));
}
FOVEA_DEVICE void store_float(uint32_t address, float x) {
  tile::store_shared(address, tile::as_bits(x));
}
FOVEA_DEVICE void load_floats(uint32_t address, float (&x)[4]) {
  uint32_t quad[4];
  tile::load_shared_quad(address, quad);
  FOVEA_UNROLL
  for (int i = 0; i < 4; ++i) x[i] = tile::as_float(quad[i]);
}

FOVEA_DEVICE double load_double(uint32_t address) {
  uint32_t low, high;
  tile::load_shared_pair(address, low, high);
  return tile::as_double(uint64_t{high} << 32 | low);
}
FOVEA_DEVICE void store_double(uint32_t address, double x) {
  const uint64_t bits = tile::as_bits(x);
  tile::store_shared_pair(address, uint32_t(bits), uint32_t(bits >> 32));
}
// Two, from an address that is a multiple of 16.
FOVEA_DEVICE void load_doubles(uint32_t address, double (&x)[2]) {
  uint32_t quad[4];
  tile::load_shared_quad(address, quad);
  FOVEA_UNROLL
  for (int i = 0; i < 2; ++i) x[i] = tile::as_double(uint64_t{quad[2 * i + 1]} << 32 | quad[2 * i]);
}

// Calls take(row, x) for the rows of a warp, x[i] being element begin + 32 i + lane of from(row), an
// address or null; zero where there is none or it is `width` or beyond. All loads of several rows are on
// their way before the first is taken.
template <typename Element, int kRows, int kPart, typename From, typename Take>
FOVEA_DEVICE void load_rows_of_warp(int32_t begin, int32_t width, From from, Take take) {
  constexpr int kElements = kPart / tile::kWarp, kMost = 16 / kElements;
  constexpr int kBatch = kRows / kWarps < kMost ? kRows / kWarps : kMost;
  FOVEA_NO_UNROLL
  for (int32_t first = warp(); first < kRows; first += kWarps * kBatch) {
    Element x[kBatch][kElements];
    FOVEA_UNROLL
    for (int n = 0; n < kBatch; ++n) {
      const Element* const row = from(first + n * kWarps);
      FOVEA_UNROLL
      for (int i = 0; i < kElements; ++i) {
        const int32_t a = begin + i * tile::kWarp + lane();
        x[n][i] = row != nullptr && a < width ? tile::load_global(row + a) : Element{};
      }
    }
    FOVEA_UNROLL
    for (int n = 0; n < kBatch; ++n) take(first + n * kWarps, x[n]);
  }
}

// What a row's lanes have of it, as floats.
template <typename Element, int kElements>
FOVEA_DEVICE void store_part(const Element (&x)[kElements], uint32_t to) {
  FOVEA_UNROLL
  for (int i = 0; i < kElements; ++i) {
    store_float(to + 4 * (i * tile::kWarp + lane()), tile::widen(x[i]));
  }
}

}  // namespace fovea::pairs::cuda
