// A step of an optimizer. A thread has four neighbours at a time, with all their states.

#include "cuda/optimizer/params.h"
#include "cuda/packets.cuh"

namespace fovea::optimizer::cuda {
namespace {

// Division and root are rounded to nearest by themselves.
struct One {
  using Float = float;

  FOVEA_DEVICE static float multiply(float x, float y) { return tile::multiply_alone(x, y); }
  FOVEA_DEVICE static float square_root(float x) { return tile::square_root(x); }
  FOVEA_DEVICE static float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x; }
};

template <int kBytes, int kCount>
constexpr int kWords = (kBytes * kCount + 3) / 4;

template <int kBytes, int kCount>
FOVEA_DEVICE void load(const PacketTensor& from, int64_t at, float (&x)[kCount]) {
  uint32_t words[kWords<kBytes, kCount>];
  load_packet<kBytes, kCount>(from, at, words);
  widen_packet<kBytes, kCount>(from, words, x);
}

template <int kBytes, int kCount>
FOVEA_DEVICE void store(const PacketTensor& to, int64_t at, const float (&x)[kCount]) {
  uint32_t words[kWords<kBytes, kCount>];
  round_packet<kBytes, kCount>(to, x, words);
  store_packet<kBytes, kCount>(to, at, words);
}

// Of a type that a kernel knows when it runs.
template <int kCount>
FOVEA_DEVICE void load_any(const PacketTensor& from, int64_t at, float (&x)[kCount]) {
  if (from.dtype == FOVEA_FLOAT32) return load<4>(from, at, x);
  load<2>(from, at, x);
}
template <int kCount>
FOVEA_DEVICE void store_any(const PacketTensor& to, int64_t at, const float (&x)[kCount]) {
  if (to.dtype == FOVEA_FLOAT32) return store<4>(to, at, x);
  store<2>(to, at, x);
}

template <typename Rule>
struct Block {
  const OptimizerParams& p;
  const Factors<One>& factors;

  // The gradient last: what it is of is asked behind the other loads, which are under way by then.
  template <int kCount>
  FOVEA_DEVICE void step(int64_t row, int64_t at) const {
    float parameter[kCount], mean[kCount] = {}, square[kCount] = {}, gradient[kCount];
    load<4>(p.parameter.tensor, row * p.parameter.stride + at, parameter);
    if constexpr (Rule::kMean) load<4>(p.mean.tensor, row * p.mean.stride + at, mean);
    if constexpr (Rule::kSquare) load<4>(p.square.tensor, row * p.square.stride + at, square);
    load_any(p.gradient.tensor, row * p.gradient.stride + at, gradient);
    FOVEA_UNROLL
    for (int e = 0; e < kCount; ++e) {
      State<One> s = {parameter[e], mean[e], square[e]};
      Rule::step(factors, gradient[e], s);
      parameter[e] = s.parameter, mean[e] = s.mean, square[e] = s.square;
    }
    store<4>(p.parameter.tensor, row * p.parameter.stride + at, parameter);
    if constexpr (Rule::kMean) store<4>(p.mean.tensor, row * p.mean.stride + at, mean);
    if constexpr (Rule::kSquare) store<4>(p.square.tensor, row * p.square.stride + at, square);
    if (p.out.tensor.data == nullptr) return;
    store_any(p.out.tensor, row * p.out.stride + at, parameter);
  }

  FOVEA_DEVICE void run() const {
    const int64_t item = p.first_item + tile::block_index();
    const int64_t first_row = item / p.tiles * p.tile_rows, first_lane = item % p.tiles * p.tile_lanes;
    const int64_t rows = p.rows - first_row < p.tile_rows ? p.rows - first_row : p.tile_rows;
    const int32_t units = int32_t(rows) * p.tile_lanes;
    FOVEA_NO_UNROLL
    for (int32_t i = int32_t(tile::thread_index()); i < units; i += kThreads) {
      const int64_t row = first_row + i / p.tile_lanes;
      const int64_t at = (first_lane + i % p.tile_lanes) * kPacket;
      if (at + kPacket <= p.length) {
        step<kPacket>(row, at);
        continue;
      }
      FOVEA_NO_UNROLL
      for (int64_t rest = at; rest < p.length; ++rest) step<1>(row, rest);
    }
  }
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks) void optimizer_step(const OptimizerParams p) {
  const Factors<One> factors(p.options, tile::load_global(p.rates), tile::load_global(p.rates + 1),
                             tile::load_global(p.rates + 2), tile::load_global(p.rates + 3));
  with_rule(p.options, [&](auto rule) { Block<decltype(rule)>{p, factors}.run(); });
}

}  // namespace

OptimizerKernel* step_kernel() { return optimizer_step; }

}  // namespace fovea::optimizer::cuda
