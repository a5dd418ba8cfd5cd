// Rotary position embedding, forward and back. A thread has a packet of pairs in several heads: two packets of
// a row, neighbours where pairs are, for which it holds cosines and sines.

#include "cuda/packets.cuh"
#include "cuda/rotary/params.h"
#include "tile/warp.cuh"

namespace fovea::rotary::cuda {
namespace {

// Which packet of which row, and of which heads.
struct Unit {
  int32_t lane, head, row;

  FOVEA_DEVICE Unit(const RotaryParams& p, int32_t number)
      : lane(number % p.lanes),
        head(number / p.lanes % p.head_groups * kHeads),
        row(number / p.lanes / p.head_groups) {}
};

template <int kPacket>
struct Angles {
  float cosine[kPacket], sine[kPacket];

  // NaN where there is no such position.
  FOVEA_DEVICE Angles(const RotaryParams& p, int64_t batch, int32_t position, int32_t pair) {
    const bool exists = position >= 0 && position < p.position_count;
    const int64_t row = exists ? position : 0;
    const float* const cosines =
        p.cosines + batch * p.cosines_stride[0] + row * p.cosines_stride[1] + pair;
    const float* const sines = p.sines + batch * p.sines_stride[0] + row * p.sines_stride[1] + pair;
    FOVEA_UNROLL
    for (int e = 0; e < kPacket; ++e) {
      cosine[e] = exists ? tile::load_global(cosines + e) : tile::as_float(0x7fffffffu);
      sine[e] = exists ? tile::load_global(sines + e) : 0.0f;
      if (p.back) sine[e] = -sine[e];
    }
  }

  FOVEA_DEVICE void turn_pair(int e, float& a, float& b) const {
    const float x = a;
    a = tile::fused_multiply_add(cosine[e], x, -sine[e] * b);
    b = tile::fused_multiply_add(cosine[e], b, sine[e] * x);
  }

  // The two packets of a row, in which pairs lie side by side or neighbour by neighbour.
  FOVEA_DEVICE void turn(float (&low)[kPacket], float (&high)[kPacket], bool interleaved) const {
    if (!interleaved) {
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) turn_pair(e, low[e], high[e]);
    } else if constexpr (kPacket == 1) {
      turn_pair(0, low[0], high[0]);
    } else {
      FOVEA_UNROLL
      for (int e = 0; e < kPacket / 2; ++e) {
        turn_pair(e, low[2 * e], low[2 * e + 1]);
        turn_pair(kPacket / 2 + e, high[2 * e], high[2 * e + 1]);
      }
    }
  }
};

template <typename Types>
struct Block {
  static constexpr int kPacket = Types::kPacket;
  static constexpr int kFrom = Types::template kBytes<0>, kTo = Types::template kBytes<1>;
  static constexpr int kFromWords = Types::template kWords<0>;
  static constexpr int kToWords = Types::template kWords<1>;

  const RotaryParams& p;
  int64_t batch;
  int32_t first, rows;

  FOVEA_DEVICE explicit Block(const RotaryParams& params) : p(params) {
    const int64_t item = p.first_item + tile::block_index();
    batch = item / p.tiles;
    first = int32_t(item % p.tiles) * p.rows;
    rows = p.length - first < p.rows ? p.length - first : p.rows;
  }

  FOVEA_DEVICE void run() const {
    const int32_t units = rows * p.head_groups * p.lanes;
    FOVEA_NO_UNROLL
    for (int32_t i = int32_t(tile::thread_index()); i < units; i += kThreads) {
      const Unit unit(p, i);
      if (unit.lane < p.pair_lanes) {
        turn(unit);
      } else {
        copy(unit);
      }
    }
  }

 private:
  FOVEA_DEVICE int64_t at(const int64_t (&stride)[3], const Unit& unit) const {
    return batch * stride[0] + (first + unit.row) * stride[1] + unit.head * stride[2];
  }

  FOVEA_DEVICE int32_t position_of(const Unit& unit) const {
    const int32_t row = first + unit.row;
    return p.positions == nullptr
               ? row
               : tile::load_global(p.positions + batch * p.positions_stride + row);
  }

  FOVEA_DEVICE void store(int64_t to, const float (&x)[kPacket]) const {
    uint32_t words[kToWords];
    round_packet<kTo, kPacket>(p.to, x, words);
    store_packet<kTo, kPacket>(p.to, to, words);
  }

  FOVEA_DEVICE void turn(const Unit& unit) const {
    const int32_t pair = unit.lane * kPacket;
    const int32_t low = p.interleaved ? 2 * pair : pair;
    const int32_t high = p.interleaved ? low + kPacket : pair + p.pairs;
    const int64_t from = at(p.from_stride, unit), to = at(p.to_stride, unit);
    uint32_t words[kHeads][2][kFromWords];
    FOVEA_UNROLL
    for (int h = 0; h < kHeads; ++h) {
      if (unit.head + h >= p.heads) break;
      load_packet<kFrom, kPacket>(p.from, from + h * p.from_stride[2] + low, words[h][0]);
      load_packet<kFrom, kPacket>(p.from, from + h * p.from_stride[2] + high, words[h][1]);
    }
    const Angles<kPacket> angles(p, batch, position_of(unit), pair);
    FOVEA_UNROLL
    for (int h = 0; h < kHeads; ++h) {
      if (unit.head + h >= p.heads) break;
      float x[kPacket], y[kPacket];
      widen_packet<kFrom, kPacket>(p.from, words[h][0], x);
      widen_packet<kFrom, kPacket>(p.from, words[h][1], y);
      angles.turn(x, y, p.interleaved);
      store(to + h * p.to_stride[2] + low, x);
      store(to + h * p.to_stride[2] + high, y);
    }
  }

  FOVEA_DEVICE void copy(const Unit& unit) const {
    const int32_t column = 2 * p.pairs + (unit.lane - p.pair_lanes) * kPacket;
    const int64_t from = at(p.from_stride, unit), to = at(p.to_stride, unit);
    FOVEA_UNROLL
    for (int h = 0; h < kHeads; ++h) {
      if (unit.head + h >= p.heads) break;
      uint32_t words[kFromWords];
      float x[kPacket];
      load_packet<kFrom, kPacket>(p.from, from + h * p.from_stride[2] + column, words);
      widen_packet<kFrom, kPacket>(p.from, words, x);
      store(to + h * p.to_stride[2] + column, x);
    }
  }
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks) void rotary_turn(const RotaryParams p) {
  with_packet_types(p.from, p.to, p.packet, [&](auto* types) {
    Block<std::remove_pointer_t<decltype(types)>>(p).run();
  });
}

}  // namespace

RotaryKernel* turn_kernel() { return rotary_turn; }

}  // namespace fovea::rotary::cuda
