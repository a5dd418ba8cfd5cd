// A part of an image times its gates: out.

#include "cuda/sigmoid.cuh"
#include "cuda/spatial/convolve.cuh"

namespace fovea::spatial::cuda {
namespace {

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 2)
void spatial_scale(const SpatialParams p) {
  // From the last part to the first: what was folded last is still in L2.
  const Part part(p, p.items - 1 - (p.first_item + tile::block_index()));
  const auto gate_address = [](int32_t at) { return tile::shared_base() + 4 * uint32_t(at); };
  each_gate(p, part, [&](int32_t at, float z) { store_float(gate_address(at), sigmoid(z)); });
  tile::sync_block();
  with_both_types(p.walk, [&](auto* types) {
    using Types = std::remove_pointer_t<decltype(types)>;
    constexpr int kPacket = Types::kPacket;
    each_pixel<2>(p, part, [&](int32_t at, const Steps<2>& steps) {
      if (!steps.there()) return;
      float gate[kPacket];
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) {
        gate[e] = load_float(gate_address(at + (p.walk.grid.channels_last ? 0 : e)));
      }
      each_packet<Types, 1>(p.walk, steps, [&](int64_t, int64_t to, float (&x)[kPacket]) {
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) x[e] *= gate[e];
        write_packet<Types>(p.walk, to, x);
      });
    });
  });
}

}  // namespace

SpatialKernel* scale_kernel() { return spatial_scale; }

}  // namespace fovea::spatial::cuda
