// Convolutions of the pixels of a part; zeros outside of an image are multiplied like any other
// number.
#pragma once

#include "cuda/spatial/part.cuh"

namespace fovea::spatial::cuda {

// Of a pixel. In 32 bits: height and width are.
struct Position {
  int32_t row, column;

  FOVEA_DEVICE Position(const SpatialParams& p, int64_t pixel)
      : row(int32_t(pixel / p.spec.width)), column(int32_t(pixel - row * p.spec.width)) {}
  FOVEA_DEVICE void move(const SpatialParams& p, int32_t pixels) {
    column += pixels;
    while (column >= p.spec.width) {
      column -= int32_t(p.spec.width);
      ++row;
    }
  }
};

// An element of a map of one image, 0 outside of it.
FOVEA_DEVICE float load_map(const SpatialParams& p, const float* map, int64_t row, int64_t column) {
  const bool inside = row >= 0 && row < p.spec.height && column >= 0 && column < p.spec.width;
  return inside ? tile::load_global(map + row * p.spec.width + column) : 0.0f;
}

FOVEA_DEVICE float load_weight(const SpatialParams& p, int32_t map, int32_t i, int32_t j) {
  return tile::load_global(p.in.weight + map * p.spec.weight_stride[0] +
                           i * p.spec.weight_stride[1] + j);
}

// The sum over the kShare threads of a pixel.
FOVEA_DEVICE float share_sum(float value) {
  FOVEA_UNROLL
  for (uint32_t mask = kShare / 2; mask > 0; mask /= 2) value += tile::shuffle_xor(value, mask);
  return value;
}

// Calls body(at, position, share) for the pixels of a part in all threads that share one, `share`
// being which of them it is; for a pixel behind the last, too, so that all threads of a warp are
// there.
template <typename Body>
FOVEA_DEVICE void each_shared_pixel(const SpatialParams& p, const Part& part, Body body) {
  const auto thread = int32_t(tile::thread_index());
  FOVEA_NO_UNROLL
  for (int32_t first = 0; first < part.count; first += kConvolved) {
    const int32_t at = first + thread / kShare;
    const Position position(p, part.begin + (at < part.count ? at : 0));
    body(at, position, thread % kShare);
  }
}

// Calls body(at, z) in one thread for each pixel of a part. Threads share the rows of the weight.
template <typename Body>
FOVEA_DEVICE void each_gate(const SpatialParams& p, const Part& part, Body body) {
  const auto size = int32_t(p.spec.kernel_size), reach = size / 2;
  const float* const maps = p.memory.maps + part.image * kMaps * p.pixels;
  const float bias = p.in.bias == nullptr ? 0.0f : tile::load_global(p.in.bias);
  each_shared_pixel(p, part, [&](int32_t at, const Position& position, int32_t share) {
    float sum = 0;
    for (int32_t row = share; row < kMaps * size; row += kShare) {
      const int32_t map = row < size ? 0 : 1, i = row - map * size;
      FOVEA_UNROLL_BY(4)
      for (int32_t j = 0; j < size; ++j) {
        const float value = load_map(p, maps + map * p.pixels, int64_t{position.row} + i - reach,
                                     int64_t{position.column} + j - reach);
        sum = tile::fused_multiply_add(load_weight(p, map, i, j), value, sum);
      }
    }
    sum = share_sum(sum);
    // Added last: every sum would round to a large bias.
    if (share == 0 && at < part.count) body(at, sum + bias);
  });
}

// Calls body(at, dmap0, dmap1) likewise: the transpose of the convolution, of dz.
template <typename Body>
FOVEA_DEVICE void each_map_gradient(const SpatialParams& p, const Part& part, Body body) {
  const auto size = int32_t(p.spec.kernel_size), reach = size / 2;
  const float* const dz = p.memory.dz + part.image * p.pixels;
  each_shared_pixel(p, part, [&](int32_t at, const Position& position, int32_t share) {
    float sum[kMaps] = {};
    for (int32_t i = share; i < size; i += kShare) {
      FOVEA_UNROLL_BY(4)
      for (int32_t j = 0; j < size; ++j) {
        const float value = load_map(p, dz, int64_t{position.row} - i + reach,
                                     int64_t{position.column} - j + reach);
        FOVEA_UNROLL
        for (int map = 0; map < kMaps; ++map) {
          sum[map] = tile::fused_multiply_add(load_weight(p, map, i, j), value, sum[map]);
        }
      }
    }
    FOVEA_UNROLL
    for (int map = 0; map < kMaps; ++map) sum[map] = share_sum(sum[map]);
    if (share == 0 && at < part.count) body(at, sum[0], sum[1]);
  });
}

}  // namespace fovea::spatial::cuda
