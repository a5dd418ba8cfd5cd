// dx of a part of an image: from its gates, and through the maps.

#include "cuda/spatial/convolve.cuh"

namespace fovea::spatial::cuda {
namespace {

// What a pixel adds to each of its channels, and to the one that has the maximum.
FOVEA_DEVICE uint32_t add_address(int32_t at) { return tile::shared_base() + 4 * uint32_t(at); }
FOVEA_DEVICE uint32_t most_address(int32_t at) { return add_address(kMostPixels + at); }

template <int kPacket>
struct Pixels {
  float gate[kPacket], add[kPacket], most[kPacket];
  int32_t index[kPacket];

  FOVEA_DEVICE Pixels(const SpatialParams& p, const Part& part, int32_t first) {
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      const int32_t at = first + (p.walk.grid.channels_last ? 0 : e);
      const int64_t pixel = part.image * p.pixels + part.begin + at;
      gate[e] = tile::load_global(p.memory.gates + pixel);
      add[e] = load_float(add_address(at));
      most[e] = load_float(most_address(at));
      index[e] = tile::load_global(p.memory.indices + pixel);
    }
  }
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void spatial_backward_scale(const SpatialParams p) {
  const Part part(p, p.items - 1 - (p.first_item + tile::block_index()));
  each_map_gradient(p, part, [&](int32_t at, float dmean, float dmaximum) {
    store_float(add_address(at), dmean * p.share);
    store_float(most_address(at), dmaximum);
  });
  tile::sync_block();
  with_both_types(p.walk, [&](auto* types) {
    using Types = std::remove_pointer_t<decltype(types)>;
    constexpr int kPacket = Types::kPacket;
    each_pixel<2>(p, part, [&](int32_t at, const Steps<2>& steps) {
      if (!steps.there()) return;
      const Pixels<kPacket> pixels(p, part, at);
      each_packet<Types, 1>(p.walk, steps, [&](int64_t channel, int64_t to, float (&x)[kPacket]) {
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) {
          x[e] = x[e] * pixels.gate[e] + pixels.add[e];
          const int64_t mine = channel + (p.walk.grid.channels_last ? e : 0);
          if (mine == pixels.index[e]) x[e] += pixels.most[e];
        }
        write_packet<Types>(p.walk, to, x);
      });
    });
  });
}

}  // namespace

SpatialKernel* backward_scale_kernel() { return spatial_backward_scale; }

}  // namespace fovea::spatial::cuda
