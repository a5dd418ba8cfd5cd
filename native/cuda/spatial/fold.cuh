// What of the channels of a pixel goes into the maps: sum and maximum, and backward the channel of
// the maximum and the sum of dout * x.
#pragma once

#include "cuda/spatial/part.cuh"

namespace fovea::spatial::cuda {

// Of some channels of one pixel. Without any, or where all are NaN, the maximum is that of channel
// 0.
template <bool kBackward>
struct Folded {
  float sum = 0, maximum = -tile::kInfinity, product = 0;
  int32_t index = 0;

  FOVEA_DEVICE void add(int64_t channel, float x) {
    sum += x;
    if (kBackward && x > maximum) index = int32_t(channel);
    maximum = x > maximum ? x : maximum;
  }
  FOVEA_DEVICE void add(int64_t channel, float x, float dout) {
    add(channel, x);
    product = tile::fused_multiply_add(x, dout, product);
  }

  // In any order of channels: among equal ones the lowest has the maximum.
  FOVEA_DEVICE void add(const Folded& other) {
    sum += other.sum;
    if constexpr (kBackward) {
      product += other.product;
      const bool ties = other.maximum == maximum && other.index < index;
      if (other.maximum > maximum || ties) index = other.index;
    }
    maximum = other.maximum > maximum ? other.maximum : maximum;
  }

  FOVEA_DEVICE void add_lane(uint32_t mask) {
    Folded other;
    other.sum = tile::shuffle_xor(sum, mask);
    other.maximum = tile::shuffle_xor(maximum, mask);
    if constexpr (kBackward) {
      other.product = tile::shuffle_xor(product, mask);
      other.index = tile::shuffle_xor(index, mask);
    }
    add(other);
  }

  FOVEA_DEVICE void store(const SpatialParams& p, const Part& part, int32_t at) const {
    const int64_t pixel = part.begin + at, all = part.image * p.pixels + pixel;
    float* const map = p.memory.maps + part.image * kMaps * p.pixels + pixel;
    tile::store_global(map, sum * p.share);
    tile::store_global(map + p.pixels, maximum);
    if constexpr (kBackward) {
      tile::store_global(p.memory.products + all, product);
      tile::store_global(p.memory.indices + all, index);
    }
  }
};

// Pixels are in the lanes, each group has some of their channels: a thread for each pixel adds them
// up.
template <bool kBackward, int kPacket>
FOVEA_DEVICE void store_pixels(const SpatialParams& p, const Part& part,
                               const Folded<kBackward> (&folded)[kPacket]) {
  const uint32_t thread = tile::thread_index(), shared = tile::shared_base();
  const auto address = [&](int word, int e, uint32_t of) {
    return exchanged(shared, word * kPacket + e, of);
  };
  FOVEA_UNROLL
  for (int e = 0; e < kPacket; ++e) {
    store_float(address(0, e, thread), folded[e].sum);
    store_float(address(1, e, thread), folded[e].maximum);
    if constexpr (kBackward) {
      store_float(address(2, e, thread), folded[e].product);
      tile::store_shared(address(3, e, thread), uint32_t(folded[e].index));
    }
  }
  tile::sync_block();
  const int32_t lanes = p.walk.lanes, element = int32_t(thread) / lanes;
  const int32_t at = packet_lane(p.walk) * kPacket + element;
  if (element >= kPacket || at >= part.count) return;
  Folded<kBackward> all;
  for (int32_t group = 0; group < p.walk.groups; ++group) {
    const auto of = uint32_t(group * lanes + packet_lane(p.walk));
    Folded<kBackward> it;
    it.sum = load_float(address(0, element, of));
    it.maximum = load_float(address(1, element, of));
    if constexpr (kBackward) {
      it.product = load_float(address(2, element, of));
      it.index = int32_t(tile::load_shared(address(3, element, of)));
    }
    all.add(it);
  }
  all.store(p, part, at);
}

// Channels are in the lanes, each group has a pixel.
template <bool kBackward, int kPacket>
FOVEA_DEVICE void store_pixel(const SpatialParams& p, const Part& part, int32_t at,
                              Folded<kBackward> (&folded)[kPacket]) {
  FOVEA_UNROLL
  for (int e = 1; e < kPacket; ++e) folded[0].add(folded[e]);
  for (int32_t mask = p.walk.lanes / 2; mask > 0; mask /= 2) folded[0].add_lane(uint32_t(mask));
  if (packet_lane(p.walk) == 0 && at < part.count) folded[0].store(p, part, at);
}

// Channels of a packet of pixels, or packets of channels of a pixel.
template <typename Types, bool kBackward, int kTensors>
FOVEA_DEVICE void fold_packets(const SpatialParams& p, const Steps<kTensors>& steps,
                               Folded<kBackward> (&folded)[Types::kPacket]) {
  const bool last = p.walk.grid.channels_last;
  each_packet<Types, kTensors>(p.walk, steps, [&](int64_t channel, int64_t, const auto&... x) {
    FOVEA_UNROLL
    for (int e = 0; e < Types::kPacket; ++e) folded[e].add(channel + (last ? e : 0), x[e]...);
  });
}

template <bool kBackward>
FOVEA_DEVICE void fold(const SpatialParams& p) {
  const Part part(p, p.first_item + tile::block_index());
  constexpr int kTensors = kBackward ? 2 : 1;
  const auto run = [&](auto* types) {
    using Types = std::remove_pointer_t<decltype(types)>;
    constexpr int kPacket = Types::kPacket;
    if (p.walk.grid.channels_last) {
      each_pixel<kTensors>(p, part, [&](int32_t at, const Steps<kTensors>& steps) {
        Folded<kBackward> folded[kPacket];
        fold_packets<Types>(p, steps, folded);
        store_pixel(p, part, at, folded);
      });
    } else {
      Folded<kBackward> folded[kPacket];
      each_pixel<kTensors>(p, part, [&](int32_t, const Steps<kTensors>& steps) {
        fold_packets<Types>(p, steps, folded);
      });
      store_pixels(p, part, folded);
    }
  };
  if constexpr (kBackward) {
    with_both_types(p.walk, run);
  } else {
    with_first_type(p.walk, run);
  }
}

}  // namespace fovea::spatial::cuda
