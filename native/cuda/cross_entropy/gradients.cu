// Gradients of logits: a thread has packets of a row, or of neighbouring rows, all on their way before the first
// is used.

#include "cuda/cross_entropy/row.cuh"
#include "cuda/packets.cuh"
#include "tile/warp.cuh"

namespace fovea::cross_entropy::cuda {
namespace {

// What is multiplied by the probability of a class, by its weight, and taken from the target.
struct Factors {
  float lse, power, weight, target;

  // Of a row that is ignored they are not read.
  FOVEA_DEVICE Factors(const CrossEntropyParams& p, const Row& row)
      : lse(0), power(0), weight(0), target(0) {
    if (row.is_ignored() || row.is_wrong(p)) return;
    const float dout = tile::load_global(p.dout + row.at(p.out_stride));
    const float own = row.own_share(p);
    lse = tile::load_global(p.lse + row.at(p.lse_stride));
    power = dout * (own + shares_of_classes(p));
    weight = p.smoothing == 0 ? 0.0f : dout * (p.smoothing / float(p.classes));
    target = dout * own;
  }
};

template <typename Types>
struct Block {
  static constexpr int kPacket = Types::kPacket;
  static constexpr int kFrom = Types::template kBytes<0>, kTo = Types::template kBytes<1>;
  static constexpr int kFromWords = Types::template kWords<0>;
  static constexpr int kToWords = Types::template kWords<1>;

  const CrossEntropyParams& p;
  int64_t first;  // row

  FOVEA_DEVICE Block(const CrossEntropyParams& params, int64_t row) : p(params), first(row) {}

  // A piece of one row, about which threads find out once.
  FOVEA_DEVICE void take_piece(int32_t piece) const {
    const Row row(p, first);
    const Factors factors(p, row);
    const int32_t lane = piece * p.piece_lanes + int32_t(tile::thread_index());
    const int32_t end = p.lanes - piece * p.piece_lanes < p.piece_lanes
                            ? p.lanes
                            : (piece + 1) * p.piece_lanes;
    uint32_t words[kUnits][kFromWords];
    FOVEA_UNROLL
    for (int u = 0; u < kUnits; ++u) {
      if (u * kThreads < end - lane) load(row, (lane + u * kThreads) * kPacket, words[u]);
    }
    FOVEA_UNROLL
    for (int u = 0; u < kUnits; ++u) {
      if (u * kThreads < end - lane) write(row, factors, (lane + u * kThreads) * kPacket, words[u]);
    }
  }

  // Short rows, several of them.
  FOVEA_DEVICE void take_rows() const {
    const int64_t left = p.rows - first;
    const int32_t units = (left < p.item_rows ? int32_t(left) : p.item_rows) * p.lanes;
    const auto unit = int32_t(tile::thread_index());
    uint32_t words[kUnits][kFromWords];
    FOVEA_UNROLL
    for (int u = 0; u < kUnits; ++u) {
      const int32_t i = unit + u * kThreads;
      if (i < units) load(Row(p, first + i / p.lanes), i % p.lanes * kPacket, words[u]);
    }
    FOVEA_UNROLL
    for (int u = 0; u < kUnits; ++u) {
      const int32_t i = unit + u * kThreads;
      if (i >= units) break;
      const Row row(p, first + i / p.lanes);
      write(row, Factors(p, row), i % p.lanes * kPacket, words[u]);
    }
  }

 private:
  FOVEA_DEVICE void load(const Row& row, int32_t column, uint32_t (&words)[kFromWords]) const {
    if (row.is_ignored()) return;
    load_packet<kFrom, kPacket>(p.logits, row.at(p.logits_stride) + column, words);
  }

  FOVEA_DEVICE void write(const Row& row, const Factors& factors, int32_t column,
                          const uint32_t (&words)[kFromWords]) const {
    float x[kPacket];
    if (row.is_ignored() || row.is_wrong(p)) {
      const float all = row.is_ignored() ? 0.0f : tile::as_float(0x7fffffffu);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) x[e] = all;
    } else {
      const bool weighs = sums_weights(p);
      widen_packet<kFrom, kPacket>(p.logits, words, x);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) {
        const float weight = weighs ? tile::load_global(p.class_weight + column + e) : 1.0f;
        const float power = tile::exp2_approx((x[e] - factors.lse) * kLog2e);
        x[e] = power * factors.power - factors.weight * weight;
        if (column + e == row.target) x[e] -= factors.target;
      }
    }
    uint32_t rounded[kToWords];
    round_packet<kTo, kPacket>(p.dlogits, x, rounded);
    store_packet<kTo, kPacket>(p.dlogits, row.at(p.dlogits_stride) + column, rounded);
  }
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 3)
void cross_entropy_gradients(const CrossEntropyParams p) {
  with_packet_types(p.logits, p.dlogits, p.packet, [&](auto* types) {
    using Rows = Block<std::remove_pointer_t<decltype(types)>>;
    const int64_t item = p.first_item + tile::block_index();
    if (p.item_rows == 1) {
      Rows(p, item / p.pieces).take_piece(int32_t(item % p.pieces));
    } else {
      Rows(p, item * p.item_rows).take_rows();
    }
  });
}

}  // namespace

CrossEntropyKernel* gradients_kernel() { return cross_entropy_gradients; }

}  // namespace fovea::cross_entropy::cuda
