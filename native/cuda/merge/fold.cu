// Rows of out: a row, or a piece of it, belongs to a few lanes of a warp. Each has the weight of another part, and
// a packet of columns.

#include "core/constants.h"
#include "cuda/merge/params.h"
#include "cuda/packets.cuh"
#include "tile/warp.cuh"

namespace fovea::merge::cuda {
namespace {

// The piece of a row that the lanes of a thread have: positions of a tile next to each other, then pieces, heads.
struct Piece {
  int32_t lane, first_lane;  // in its piece; the first of that in its warp
  int32_t batch, position, head, packet;
  bool there;

  FOVEA_DEVICE explicit Piece(const MergeParams& p) {
    const auto thread = int32_t(tile::thread_index());
    lane = thread % p.lanes;
    first_lane = thread % tile::kWarp - lane;
    const int32_t groups = kThreads / p.lanes;
    int32_t rest = int32_t(p.first_item + tile::block_index()) * groups + thread / p.lanes;
    const auto next = [&rest](int32_t size) {
      const int32_t index = rest % size;
      rest /= size;
      return index;
    };
    position = next(p.positions);
    packet = next(p.pieces) * p.lanes + lane;
    head = next(p.heads);
    position += next(p.position_tiles) * p.positions;
    there = rest < p.batch && position < p.length;  // if not, it meets the others all the same
    batch = there ? rest : 0;
  }
};

// How much of each part a row has. What lanes know of its parts, or of all of them, they know together.
class Weights {
 public:
  FOVEA_DEVICE Weights(const MergeParams& params, const Piece& piece) : p(params), piece_(piece) {
    from_ = p.lses + piece.batch * p.lses_stride[1] + piece.head * p.lses_stride[2] + piece.position;
    own_ = load(piece.lane);
    // Finite, so that a part of -infinity is 0, not NaN, or +infinity, which makes the sum NaN.
    float largest = own_;
    FOVEA_NO_UNROLL
    for (int32_t part = piece.lane + p.lanes; part < p.parts; part += p.lanes) {
      largest = tile::maximum(largest, load(part));
    }
    FOVEA_NO_UNROLL
    for (int32_t mask = p.lanes / 2; mask > 0; mask /= 2) {
      largest = tile::maximum(largest, tile::shuffle_xor(largest, uint32_t(mask)));
    }
    const float sink = p.sinks == nullptr ? -tile::kInfinity : tile::load_global(p.sinks + piece.head);
    largest = tile::maximum(largest, sink);
    base_ = largest == -tile::kInfinity ? 0.0f : largest;
    float sum = 0;
    FOVEA_NO_UNROLL
    for (int32_t first = 0; first < p.parts; first += p.lanes) add_up(first, sum);
    sum += power(sink);
    inverse_ = sum == 0 ? 0.0f : 1.0f / sum;
    lse_ = base_ + tile::log_accurate(sum);
  }

  FOVEA_DEVICE float lse() const { return lse_; }

  // That of the lane's part among those from `first` on; 0 behind the last, whatever the sum is.
  FOVEA_DEVICE float of(int32_t first) const {
    return first + piece_.lane < p.parts ? power_of(first) * inverse_ : 0.0f;
  }

 private:
  FOVEA_DEVICE float load(int32_t part) const {
    const bool there = piece_.there && part < p.parts;
    return there ? tile::load_global(from_ + part * p.lses_stride[0]) : -tile::kInfinity;
  }

  FOVEA_DEVICE float power(float lse) const { return tile::exp2_approx((lse - base_) * kLog2e); }

  FOVEA_DEVICE float power_of(int32_t first) const {
    return power(first == 0 ? own_ : load(first + piece_.lane));
  }

  FOVEA_DEVICE void add_up(int32_t first, float& sum) const {
    float eight = power_of(first);
    FOVEA_UNROLL
    for (uint32_t mask = kFewestLanes / 2; mask > 0; mask /= 2) eight += tile::shuffle_xor(eight, mask);
    FOVEA_NO_UNROLL
    for (int32_t lane = 0; lane < p.lanes; lane += kFewestLanes) {
      sum += tile::shuffle(eight, uint32_t(piece_.first_lane + lane));
    }
  }

  const MergeParams& p;
  const Piece& piece_;
  const float* from_;
  float own_, base_, inverse_, lse_;
};

template <typename Types>
struct Fold {
  static constexpr int kPacket = Types::kPacket;
  static constexpr int kFrom = Types::template kBytes<0>, kTo = Types::template kBytes<1>;
  static constexpr int kFromWords = Types::template kWords<0>;
  static constexpr int kToWords = Types::template kWords<1>;

  const MergeParams& p;
  const Piece& piece;
  const Weights& weights;

  FOVEA_DEVICE void run() const {
    const bool there = piece.there && piece.packet < p.packets;
    const int64_t from = piece.batch * p.outs_stride[1] + piece.position * p.outs_stride[2] +
                         piece.head * p.outs_stride[3] + piece.packet * kPacket;
    float sums[kPacket] = {};
    FOVEA_NO_UNROLL
    for (int32_t first = 0; first < p.parts; first += p.lanes) {
      const float own = weights.of(first);
      const int32_t end = p.parts - first < p.lanes ? p.parts - first : p.lanes;
      FOVEA_NO_UNROLL
      for (int32_t part = 0; part < end; part += kAhead) add(own, from, first, part, there, sums);
    }
    if (!there) return;
    uint32_t rounded[kToWords];
    round_packet<kTo, kPacket>(p.out, sums, rounded);
    store_packet<kTo, kPacket>(p.out,
                               piece.batch * p.out_stride[0] + piece.position * p.out_stride[1] +
                                   piece.head * p.out_stride[2] + piece.packet * kPacket,
                               rounded);
  }

 private:
  FOVEA_DEVICE void add(float own, int64_t from, int32_t first, int32_t part, bool there,
                        float (&sums)[kPacket]) const {
    float weight[kAhead];
    uint32_t words[kAhead][kFromWords];
    FOVEA_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      weight[k] = tile::shuffle(own, uint32_t(piece.first_lane + part + k));
      if (!there) weight[k] = 0;
      if (weight[k] == 0) continue;
      load_packet<kFrom, kPacket>(p.outs, from + (first + part + k) * p.outs_stride[0], words[k]);
    }
    FOVEA_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      if (weight[k] == 0) continue;
      float x[kPacket];
      widen_packet<kFrom, kPacket>(p.outs, words[k], x);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) sums[e] = tile::fused_multiply_add(weight[k], x[e], sums[e]);
    }
  }
};

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, kBlocks) void merge_parts(const MergeParams p) {
  const Piece piece(p);
  const Weights weights(p, piece);
  if (p.lse != nullptr && piece.there && piece.packet == 0) {
    tile::store_global(p.lse + piece.batch * p.lse_stride[0] + piece.head * p.lse_stride[1] + piece.position,
                       weights.lse());
  }
  with_packet_types(p.outs, p.out, p.packet, [&](auto* types) {
    Fold<std::remove_pointer_t<decltype(types)>>{p, piece, weights}.run();
  });
}

}  // namespace

MergeKernel* merge_kernel() { return merge_parts; }

}  // namespace fovea::merge::cuda
