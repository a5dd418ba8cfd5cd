// Sums over the pixels of a part of an image: of x, and backward of dout * x.
#pragma once

#include "cuda/channel/part.cuh"

namespace fovea::channel::cuda {

// One sum for each element of a thread's packet, or backward two.
template <int kSums, int kPacket>
struct Pooled {
  float sum[kSums][kPacket] = {};

  FOVEA_DEVICE void add(const float (&x)[kPacket]) {
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) sum[0][e] += x[e];
  }
  FOVEA_DEVICE void add(const float (&x)[kPacket], const float (&dout)[kPacket]) {
    add(x);
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      sum[1][e] = tile::fused_multiply_add(x[e], dout[e], sum[1][e]);
    }
  }
};

FOVEA_DEVICE void store_sum(const ChannelParams& p, const Part& part, int kind, int64_t channel,
                            float sum) {
  float* const to = kind == 0 ? p.memory.sums : p.memory.products;
  tile::store_global(to + (part.image * p.chunks + part.chunk) * p.spec.channels + channel, sum);
}

// Pixels are in the lanes: a group has a channel.
template <int kSums, int kPacket>
FOVEA_DEVICE void store_channel(const ChannelParams& p, const Part& part,
                                const Pooled<kSums, kPacket>& pooled) {
  FOVEA_UNROLL
  for (int kind = 0; kind < kSums; ++kind) {
    float sum = pooled.sum[kind][0];
    FOVEA_UNROLL
    for (int e = 1; e < kPacket; ++e) sum += pooled.sum[kind][e];
    for (int32_t mask = p.walk.lanes / 2; mask > 0; mask /= 2) {
      sum += tile::shuffle_xor(sum, uint32_t(mask));
    }
    if (packet_lane(p.walk) == 0 && part.channel < p.spec.channels) {
      store_sum(p, part, kind, part.channel, sum);
    }
  }
}

// Channels are in the lanes: a group has pixels, and what they come to is added up in the order of
// groups.
template <int kSums, int kPacket>
FOVEA_DEVICE void store_channels(const ChannelParams& p, const Part& part,
                                 const Pooled<kSums, kPacket>& pooled) {
  const uint32_t thread = tile::thread_index(), shared = tile::shared_base();
  FOVEA_UNROLL
  for (int kind = 0; kind < kSums; ++kind) {
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      store_float(exchanged(shared, kind * kPacket + e, thread), pooled.sum[kind][e]);
    }
  }
  tile::sync_block();
  const int32_t lanes = p.walk.lanes, element = int32_t(thread) / lanes;
  const int64_t channel = part.channel + element;
  if (element >= kPacket || channel >= p.spec.channels) return;
  FOVEA_UNROLL
  for (int kind = 0; kind < kSums; ++kind) {
    float sum = 0;
    for (int32_t group = 0; group < p.walk.groups; ++group) {
      sum += load_float(exchanged(shared, kind * kPacket + element,
                                  uint32_t(group * lanes + packet_lane(p.walk))));
    }
    store_sum(p, part, kind, channel, sum);
  }
}

template <int kSums>
FOVEA_DEVICE void pool(const ChannelParams& p) {
  const Part part(p, uint32_t(p.first_item) + tile::block_index());
  const auto run = [&](auto* types) {
    using Types = std::remove_pointer_t<decltype(types)>;
    constexpr int kPacket = Types::kPacket;
    Pooled<kSums, kPacket> pooled;
    if (part.channel < p.spec.channels) {
      const auto steps =
          pixels_of<kSums>(p.walk, part.image, part.channel, part.pixel, part.end, part.step);
      each_packet<Types, kSums>(
          p.walk, steps, [&](int64_t, int64_t, const auto&... x) { pooled.add(x...); });
    }
    if (p.walk.grid.channels_last) {
      store_channels(p, part, pooled);
    } else {
      store_channel(p, part, pooled);
    }
  };
  if constexpr (kSums == 1) {
    with_first_type(p.walk, run);
  } else {
    with_both_types(p.walk, run);
  }
}

}  // namespace fovea::channel::cuda
