// The backward pass of normalization: dx of a part of the rows, and what these add to dweight and dbias, which
// a thread sums up for its columns in registers.

#include "cuda/norm/row.cuh"

namespace fovea::norm::cuda {
namespace {

template <int kElements, int kBlock>
class Backward {
  static constexpr int kHeld = held_packets(kElements, true);

 public:
  FOVEA_DEVICE explicit Backward(const NormParams& params)
      : p(params), place_(p), row_sums_(p, place_) {}

  FOVEA_DEVICE void run() {
    const auto item = int32_t(p.first_item + tile::block_index());
    const int32_t head = item / p.parts, begin = (item - head * p.parts) * p.rows;
    const int32_t count = p.all - begin < p.rows ? p.all - begin : p.rows;
    to_ = p.sums == nullptr ? nullptr : p.sums + int64_t{item} * 2 * p.row;
    FOVEA_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      FOVEA_UNROLL
      for (int e = 0; e < kElements; ++e) products_[k][e] = sums_[k][e] = 0;
    }
    // Threads that have no row meet the others all the same.
    FOVEA_NO_UNROLL
    for (int32_t first = 0; first < count; first += p.groups) {
      const int32_t own = first + place_.group;
      row(RowIndex(p, begin + (own < count ? own : 0), head), own < count, first == 0);
    }
    if (to_ == nullptr || !p.held) return;
    add_groups(products_, to_);
    add_groups(sums_, to_ + p.row);
  }

 private:
  struct Gradient : Moments {
    float mean_g, mean_gz;
  };

  // Calls body(k, packet, x, dout) for the packets of this thread in a row.
  template <typename Body>
  FOVEA_DEVICE void each(int64_t x, int64_t dout, bool there, Body body) {
    FOVEA_NO_UNROLL
    for (int32_t first = place_.lane; there && first < p.packets; first += kHeld * p.lanes) {
      if (!p.held) load(x, dout, first);
      FOVEA_UNROLL
      for (int k = 0; k < kHeld; ++k) {
        const int32_t packet = first + k * p.lanes;
        if (packet < p.packets) body(k, packet, x_.x[k], dout_.x[k]);
      }
    }
  }

  FOVEA_DEVICE void load(int64_t x, int64_t dout, int32_t first) {
    x_.load(p, p.x, x, first);
    dout_.load(p, p.out, dout, first);
  }

  FOVEA_DEVICE void row(const RowIndex& row, bool there, bool is_first) {
    const int64_t x = row.at(p.x_stride), dout = row.at(p.out_stride), dx = row.at(p.dx_stride);
    const int64_t weight = row.head * p.weight.stride;
    if (p.held && there) load(x, dout, place_.lane);
    const Gradient m = gradient(x, dout, weight, there);
    each(x, dout, there, [&](int k, int32_t packet, const float(&from)[kElements],
                             const float(&gradient)[kElements]) {
      float g[kElements], z[kElements], to[kElements];
      weigh(weight, packet, gradient, g);
      FOVEA_UNROLL
      for (int e = 0; e < kElements; ++e) {
        z[e] = m.z(from[e]);
        const float off = tile::fused_multiply_add(z[e], -m.mean_gz * m.inverse, -m.mean_g * m.inverse);
        to[e] = tile::fused_multiply_add(g[e], m.inverse, off);
      }
      add_up(k, packet, gradient, z, is_first);
      if (p.adds) {
        Packets<kElements, 1> before;
        before.load(p, p.dx, dx, packet);
        FOVEA_UNROLL
        for (int e = 0; e < kElements; ++e) to[e] += before.x[0][e];
      }
      store_floats(p.dx, dx + packet * kElements, to);
    });
  }

  FOVEA_DEVICE void weigh(int64_t weight, int32_t packet, const float (&gradient)[kElements],
                          float (&g)[kElements]) const {
    load_floats(p.weight, weight + packet * kElements, 1, g);
    FOVEA_UNROLL
    for (int e = 0; e < kElements; ++e) g[e] *= gradient[e];
  }

  FOVEA_DEVICE Gradient gradient(int64_t x, int64_t dout, int64_t weight, bool there) {
    Gradient m;
    if (p.centered) {
      const float first = there ? load_element(p.x, x) : 0.0f;
      m.set_pivot(first, 0);
      float sum[1] = {};
      each(x, dout, there,
           [&](int, int32_t, const float(&from)[kElements], const float(&)[kElements]) {
             float d[kElements];
             FOVEA_UNROLL
             for (int e = 0; e < kElements; ++e) d[e] = from[e] - m.pivot;
             sum[0] += sum_of(d);
           });
      row_sums_.add(sum);
      m.set_pivot(m.pivot, sum[0] * p.share);
    }
    float sums[4] = {};
    each(x, dout, there, [&](int, int32_t packet, const float(&from)[kElements],
                             const float(&gradient)[kElements]) {
      float g[kElements], d[kElements], squares[kElements], products[kElements];
      weigh(weight, packet, gradient, g);
      FOVEA_UNROLL
      for (int e = 0; e < kElements; ++e) {
        d[e] = from[e] - m.pivot;
        squares[e] = d[e] * d[e];
        products[e] = g[e] * d[e];
      }
      sums[0] += sum_of(d);
      sums[1] += sum_of(squares);
      sums[2] += sum_of(g);
      sums[3] += sum_of(products);
    });
    row_sums_.add(sums);
    m.set(p.centered ? sums[0] * p.share : 0.0f, sums[1] * p.share, p.epsilon);
    m.mean_g = p.centered ? sums[2] * p.share : 0.0f;
    m.mean_gz = (sums[3] - m.rest * sums[2]) * p.share * m.inverse;
    return m;
  }

  // What a packet of a row adds to dweight and dbias: in memory of the block's own where it is not held.
  FOVEA_DEVICE void add_up(int k, int32_t packet, const float (&gradient)[kElements],
                           const float (&z)[kElements], bool is_first) {
    if (to_ == nullptr) return;
    if (p.held) {
      FOVEA_UNROLL
      for (int e = 0; e < kElements; ++e) {
        products_[k][e] = tile::fused_multiply_add(gradient[e], z[e], products_[k][e]);
        sums_[k][e] += gradient[e];
      }
      return;
    }
    FOVEA_UNROLL
    for (int e = 0; e < kElements; ++e) {
      float* const product = to_ + packet * kElements + e;
      float* const sum = product + p.row;
      const float before = is_first ? 0.0f : tile::load_global(product);
      tile::store_global(product, tile::fused_multiply_add(gradient[e], z[e], before));
      tile::store_global(sum, (is_first ? 0.0f : tile::load_global(sum)) + gradient[e]);
    }
  }

  static FOVEA_DEVICE uint32_t exchanged(int32_t element, int32_t thread) {
    return tile::shared_base() + kExchangeBytes + 4 * uint32_t(element * kBlock + thread);
  }

  // Sums of this block's rows, by column: those of its groups in their order.
  FOVEA_DEVICE void add_groups(const float (&own)[kHeld][kElements], float* to) const {
    const auto thread = int32_t(tile::thread_index());
    if (p.groups == 1) {
      FOVEA_UNROLL
      for (int k = 0; k < kHeld; ++k) {
        const int32_t packet = thread + k * kBlock;
        if (packet >= p.packets) break;
        FOVEA_UNROLL
        for (int e = 0; e < kElements; ++e) tile::store_global(to + packet * kElements + e, own[k][e]);
      }
      return;
    }
    FOVEA_UNROLL
    for (int k = 0; k < kHeld; ++k) {
      FOVEA_UNROLL
      for (int e = 0; e < kElements; ++e) {
        tile::store_shared(exchanged(k * kElements + e, thread), tile::as_bits(own[k][e]));
      }
    }
    tile::sync_block();
    FOVEA_NO_UNROLL
    for (int32_t column = thread; column < p.width; column += kBlock) {
      const int32_t packet = column / kElements, lane = packet % p.lanes;
      const int32_t element = packet / p.lanes * kElements + column % kElements;
      float total = 0;
      FOVEA_NO_UNROLL
      for (int32_t group = 0; group < p.groups; ++group) {
        total += tile::as_float(tile::load_shared(exchanged(element, group * p.lanes + lane)));
      }
      tile::store_global(to + column, total);
    }
    tile::sync_block();
  }

  const NormParams& p;
  const Place place_;
  RowSums row_sums_;
  float* to_;
  Packets<kElements, kHeld> x_, dout_;
  float products_[kHeld][kElements], sums_[kHeld][kElements];
};

template <int kElements, int kBlock>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kBlock, 512 / kBlock) void norm_backward(const NormParams p) {
  Backward<kElements, kBlock>(p).run();
}

}  // namespace

NormKernel* backward_kernel(int packet, int threads) {
  if (packet == 1) return norm_backward<1, kThreads>;
  return threads == kThreads ? norm_backward<kPacket, kThreads> : norm_backward<kPacket, kWideThreads>;
}

}  // namespace fovea::norm::cuda
