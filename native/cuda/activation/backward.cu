// The backward pass of activation: what each element has of gradients, and sums of columns.

#include "cuda/activation/rows.cuh"

namespace fovea::activation::cuda {
namespace {

// Sums of the columns of a block: what groups have is added up in their order.
template <int kPacket>
FOVEA_DEVICE void store_sums(const ActivationParams& p, const Block<kPacket>& block,
                             const float (&sums)[kPacket]) {
  const auto address = [](int32_t element, int32_t thread) {
    return tile::shared_base() + 4 * uint32_t(element * kThreads + thread);
  };
  const auto thread = int32_t(tile::thread_index());
  FOVEA_UNROLL
  for (int e = 0; e < kPacket; ++e) tile::store_shared(address(e, thread), tile::as_bits(sums[e]));
  tile::sync_block();
  FOVEA_NO_UNROLL
  for (int32_t i = thread; i < p.lanes * kPacket; i += kThreads) {
    const int32_t lane = i / kPacket, element = i % kPacket;
    const int32_t column = block.tile_column + i;
    if (column >= p.width) break;
    float sum = 0;
    for (int32_t group = 0; group < p.groups; ++group) {
      sum += tile::as_float(tile::load_shared(address(element, group * p.lanes + lane)));
    }
    tile::store_global(p.parts + int64_t{block.row_tile} * p.width + column, sum);
  }
}

template <int kPacket>
FOVEA_DEVICE void differentiate(const ActivationParams& p) {
  const Block<kPacket> block(p);
  float bias[kPacket], sums[kPacket] = {};
  block.load_bias(bias);
  block.each_step([&](const int32_t (&rows)[kRows]) {
    Packet<kPacket> x[kRows], gate[kRows], dout[kRows];
    FOVEA_UNROLL
    for (int k = 0; k < kRows; ++k) {
      if (!block.has(rows[k])) continue;
      dout[k].load(p.added, block.at(p.added, rows[k]));
      if (p.x.data != nullptr) x[k].load(p.x, block.at(p.x, rows[k]));
      if (p.gate.data != nullptr) gate[k].load(p.gate, block.at(p.gate, rows[k]));
    }
    FOVEA_UNROLL
    for (int k = 0; k < kRows; ++k) {
      if (!block.has(rows[k])) continue;
      float g[kPacket], z[kPacket] = {}, result[kPacket];
      dout[k].widen(p.added, g);
      if (p.dresidual.data != nullptr) {
        Packet<kPacket>::store(p.dresidual, block.at(p.dresidual, rows[k]), g);
      }
      if (p.x.data != nullptr) x[k].widen(p.x, z);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) {
        z[e] += bias[e];
        g[e] *= p.dropout_scale;
      }
      // Dropout last, so that gradients of what was dropped are 0 whatever it was.
      if (p.dgate.data != nullptr) {
        with_function(p.function, [&](auto f) {
          FOVEA_UNROLL
          for (int e = 0; e < kPacket; ++e) result[e] = g[e] * decltype(f)::value(z[e]);
        });
        block.keep(k, result);
        Packet<kPacket>::store(p.dgate, block.at(p.dgate, rows[k]), result);
      }
      if (!p.slope) continue;
      if (p.gate.data != nullptr) {
        gate[k].widen(p.gate, result);
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) g[e] *= result[e];
      }
      with_function(p.function, [&](auto f) {
        FOVEA_UNROLL
        for (int e = 0; e < kPacket; ++e) g[e] *= decltype(f)::slope(z[e]);
      });
      block.keep(k, g);
      if (p.out.data != nullptr) Packet<kPacket>::store(p.out, block.at(p.out, rows[k]), g);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) sums[e] += g[e];
    }
  });
  if (p.parts != nullptr) store_sums(p, block, sums);
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks)
void activation_backward(const ActivationParams p) {
  with_block(p, [&](auto* block) { differentiate<std::remove_pointer_t<decltype(block)>::kElements>(p); });
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kSumBlocks)
void activation_sums(const SumParams p) {
  const int64_t column = (p.first_item + tile::block_index()) * kThreads + tile::thread_index();
  if (column >= p.width) return;
  double sum = p.add ? double(tile::load_global(p.dbias + column)) : 0;
  for (int32_t part = 0; part < p.row_tiles; ++part) {
    sum += double(tile::load_global(p.parts + int64_t{part} * p.width + column));
  }
  tile::store_global(p.dbias + column, float(sum));
}

}  // namespace

ActivationKernel* backward_kernel() { return activation_backward; }
SumKernel* sum_kernel() { return activation_sums; }

}  // namespace fovea::activation::cuda
