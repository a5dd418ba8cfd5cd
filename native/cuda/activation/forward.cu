// The forward pass of activation.

#include "cuda/activation/rows.cuh"

namespace fovea::activation::cuda {
namespace {

template <int kPacket>
FOVEA_DEVICE void activate(const ActivationParams& p) {
  const Block<kPacket> block(p);
  float bias[kPacket];
  block.load_bias(bias);
  block.each_step([&](const int32_t (&rows)[kRows]) {
    Packet<kPacket> x[kRows], gate[kRows], added[kRows];
    FOVEA_UNROLL
    for (int k = 0; k < kRows; ++k) {
      if (!block.has(rows[k])) continue;
      x[k].load(p.x, block.at(p.x, rows[k]));
      if (p.gate.data != nullptr) gate[k].load(p.gate, block.at(p.gate, rows[k]));
      if (p.added.data != nullptr) added[k].load(p.added, block.at(p.added, rows[k]));
    }
    FOVEA_UNROLL
    for (int k = 0; k < kRows; ++k) {
      if (!block.has(rows[k])) continue;
      float y[kPacket], more[kPacket];
      x[k].widen(p.x, y);
      with_function(p.function, [&](auto f) {
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) y[e] = decltype(f)::value(y[e] + bias[e]);
      });
      if (p.gate.data != nullptr) {
        gate[k].widen(p.gate, more);
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) y[e] *= more[e];
      }
      if (p.draws) {
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) y[e] *= p.dropout_scale;
        block.keep(k, y);
      }
      if (p.added.data != nullptr) {
        added[k].widen(p.added, more);
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) y[e] += more[e];
      }
      Packet<kPacket>::store(p.out, block.at(p.out, rows[k]), y);
    }
  });
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks)
void activation_forward(const ActivationParams p) {
  with_block(p, [&](auto* block) { activate<std::remove_pointer_t<decltype(block)>::kElements>(p); });
}

}  // namespace

ActivationKernel* forward_kernel() { return activation_forward; }

}  // namespace fovea::activation::cuda
