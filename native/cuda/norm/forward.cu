// The forward pass of normalization: a row is read once, where its threads hold it.

#include "cuda/norm/row.cuh"

namespace fovea::norm::cuda {
namespace {

template <int kElements>
class Forward {
  static constexpr int kHeld = held_packets(kElements, false);

 public:
  FOVEA_DEVICE explicit Forward(const NormParams& params) : p(params), place_(p), sums_(p, place_) {}

  FOVEA_DEVICE void run() {
    const int32_t begin = int32_t(p.first_item + tile::block_index()) * p.rows;
    const int32_t count = p.all - begin < p.rows ? p.all - begin : p.rows;
    // Threads that have no row meet the others all the same.
    FOVEA_NO_UNROLL
    for (int32_t first = 0; first < count; first += p.groups) {
      const int32_t own = first + place_.group;
      row(RowIndex(p, begin + (own < count ? own : 0), 0), own < count);
    }
  }

 private:
  // Calls body(packet, x) for the packets of this thread in a row.
  template <typename Body>
  FOVEA_DEVICE void each(int64_t x, bool there, Body body) {
    FOVEA_NO_UNROLL
    for (int32_t first = place_.lane; there && first < p.packets; first += kHeld * p.lanes) {
      if (!p.held) packets_.load(p, p.x, x, first);
      FOVEA_UNROLL
      for (int k = 0; k < kHeld; ++k) {
        const int32_t packet = first + k * p.lanes;
        if (packet < p.packets) body(packet, packets_.x[k]);
      }
    }
  }

  FOVEA_DEVICE void row(const RowIndex& row, bool there) {
    const int64_t x = row.at(p.x_stride);
    if (p.held && there) packets_.load(p, p.x, x, place_.lane);
    const Moments m = moments(x, there);
    const int64_t out = row.at(p.out_stride);
    const int64_t weight = row.head * p.weight.stride, bias = row.head * p.bias.stride;
    each(x, there, [&](int32_t packet, const float(&from)[kElements]) {
      float scale[kElements], add[kElements], to[kElements];
      load_floats(p.weight, weight + packet * kElements, 1, scale);
      load_floats(p.bias, bias + packet * kElements, 0, add);
      FOVEA_UNROLL
      for (int e = 0; e < kElements; ++e) {
        to[e] = tile::fused_multiply_add(m.z(from[e]), scale[e], add[e]);
      }
      store_floats(p.out, out + packet * kElements, to);
    });
    if (!there || place_.lane != 0) return;
    if (p.mean != nullptr) tile::store_global(p.mean + row.at(p.mean_stride), m.pivot + m.rest);
    if (p.inverse != nullptr) tile::store_global(p.inverse + row.at(p.inverse_stride), m.inverse);
  }

  FOVEA_DEVICE Moments moments(int64_t x, bool there) {
    Moments m;
    if (p.centered) {
      const float first = there ? load_element(p.x, x) : 0.0f;
      m.set_pivot(first, 0);
      float sum[1] = {};
      each(x, there, [&](int32_t, const float(&from)[kElements]) {
        float d[kElements];
        FOVEA_UNROLL
        for (int e = 0; e < kElements; ++e) d[e] = from[e] - m.pivot;
        sum[0] += sum_of(d);
      });
      sums_.add(sum);
      m.set_pivot(m.pivot, sum[0] * p.share);
    }
    float sums[2] = {};
    each(x, there, [&](int32_t, const float(&from)[kElements]) {
      float d[kElements], squares[kElements];
      FOVEA_UNROLL
      for (int e = 0; e < kElements; ++e) {
        d[e] = from[e] - m.pivot;
        squares[e] = d[e] * d[e];
      }
      sums[0] += sum_of(d);
      sums[1] += sum_of(squares);
    });
    sums_.add(sums);
    m.set(p.centered ? sums[0] * p.share : 0.0f, sums[1] * p.share, p.epsilon);
    return m;
  }

  const NormParams& p;
  const Place place_;
  RowSums sums_;
  Packets<kElements, kHeld> packets_;
};

template <int kElements>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 3) void norm_forward(const NormParams p) {
  Forward<kElements>(p).run();
}

}  // namespace

NormKernel* forward_kernel(int packet) {
  return packet == 1 ? norm_forward<1> : norm_forward<kPacket>;
}

}  // namespace fovea::norm::cuda
