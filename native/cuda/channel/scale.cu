// A part of an image times its gates: out, or backward dx, which has the gradient of the means,
// too.

#include "cuda/channel/part.cuh"

namespace fovea::channel::cuda {
namespace {

// What the channels of a thread's packet are multiplied by, and what is added.
template <int kPacket>
struct Gates {
  float gate[kPacket], add[kPacket];

  FOVEA_DEVICE Gates(const ChannelParams& p, const Part& part) {
    const int64_t at = part.image * p.spec.channels + part.channel;
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      const int64_t channel = at + (p.walk.grid.channels_last ? e : 0);
      gate[e] = tile::load_global(p.memory.gate + channel);
      // Added to whatever it is, -0 changes nothing.
      add[e] = p.memory.add == nullptr ? -0.0f : tile::load_global(p.memory.add + channel);
    }
  }
};

// With registers for three blocks on a multiprocessor it spilled 56 bytes on sm_100.
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void channel_scale(const ChannelParams p) {
  // From the last part to the first: what was pooled last is still in L2.
  const int64_t item = p.items - 1 - (p.first_item + tile::block_index());
  const Part part(p, uint32_t(item));
  if (part.channel >= p.spec.channels) return;
  with_both_types(p.walk, [&](auto* types) {
    using Types = std::remove_pointer_t<decltype(types)>;
    constexpr int kPacket = Types::kPacket;
    const Gates<kPacket> gates(p, part);
    const auto steps =
        pixels_of<2>(p.walk, part.image, part.channel, part.pixel, part.end, part.step);
    each_packet<Types, 1>(p.walk, steps, [&](int64_t, int64_t at, float (&x)[kPacket]) {
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) x[e] = x[e] * gates.gate[e] + gates.add[e];
      write_packet<Types>(p.walk, at, x);
    });
  });
}

}  // namespace

ChannelKernel* scale_kernel() { return channel_scale; }

}  // namespace fovea::channel::cuda
