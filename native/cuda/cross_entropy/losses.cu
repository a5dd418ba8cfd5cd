// Losses of rows, and the logarithms of their sums, in one read: a warp has a row, or a block a long one.

#include "cuda/cross_entropy/row.cuh"
#include "cuda/packets.cuh"
#include "tile/warp.cuh"

namespace fovea::cross_entropy::cuda {
namespace {

// Of some classes: sums of e^(x - reference), and of x by what its class has of the target.
struct Sums {
  float reference, powers, smooth;

  // Of the threads of a warp, or of the warps of a block: the largest of their references is that of all.
  FOVEA_DEVICE void refer_to(float other) {
    powers *= tile::exp2_approx((reference - other) * kLog2e);
    reference = other;
  }
  FOVEA_DEVICE void add_warp() {
    refer_to(tile::warp_max(reference));
    powers = tile::warp_sum(powers);
    smooth = tile::warp_sum(smooth);
  }
};

template <typename Types>
struct Losses {
  static constexpr int kPacket = Types::kPacket, kAhead = kPacket == 1 ? 8 : 4;
  static constexpr int kBytes = Types::template kBytes<0>, kWords = Types::template kWords<0>;
  // A reference is raised to the largest logit where one is so far above it: what was summed before is then of so
  // little weight that what it has been rounded by does not add up.
  static constexpr float kAbove = 5;

  const CrossEntropyParams& p;
  const Row row;
  int64_t from;

  FOVEA_DEVICE Losses(const CrossEntropyParams& params, int64_t number)
      : p(params), row(params, number), from(row.at(params.logits_stride)) {}

  // Of the classes of this thread, one of so many.
  FOVEA_DEVICE Sums sum(int32_t thread, int32_t threads) const {
    Sums sums = {-3.402823466e38f, 0, 0};
    if (row.is_ignored()) return sums;
    const bool smooths = p.smoothing > 0, weighs = sums_weights(p);
    const int64_t step = int64_t{threads} * kPacket;
    FOVEA_NO_UNROLL
    for (int64_t c = int64_t{thread} * kPacket; c < p.classes; c += kAhead * step) {
      uint32_t words[kAhead][kWords];
      FOVEA_UNROLL
      for (int k = 0; k < kAhead; ++k) {
        if (c + k * step < p.classes) {
          load_packet<kBytes, kPacket>(p.logits, from + c + k * step, words[k]);
        }
      }
      add(sums, c, step, words, smooths, weighs);
    }
    return sums;
  }

  FOVEA_DEVICE void write(const Sums& sums) const {
    float loss = 0, lse = 0;
    if (!row.is_ignored()) {
      const double log_sum = double(tile::log_accurate(sums.powers));
      lse = float(double(sums.reference) + log_sum);
      loss = row.is_wrong(p) ? tile::as_float(0x7fffffffu) : loss_of(sums, log_sum);
    }
    tile::store_global(p.out + row.at(p.out_stride), loss);
    if (p.lse != nullptr) tile::store_global(p.lse + row.at(p.lse_stride), lse);
  }

 private:
  FOVEA_DEVICE void add(Sums& sums, int64_t c, int64_t step, const uint32_t (&words)[kAhead][kWords],
                        bool smooths, bool weighs) const {
    float most = -tile::kInfinity;
    FOVEA_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      if (c + k * step >= p.classes) break;
      float x[kPacket];
      widen_packet<kBytes, kPacket>(p.logits, words[k], x);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) most = tile::maximum(most, x[e]);
    }
    if (most > sums.reference + kAbove) sums.refer_to(most);
    float powers = 0, smooth = 0;
    FOVEA_UNROLL
    for (int k = 0; k < kAhead; ++k) {
      if (c + k * step >= p.classes) break;
      float x[kPacket];
      widen_packet<kBytes, kPacket>(p.logits, words[k], x);
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) {
        powers += tile::exp2_approx((x[e] - sums.reference) * kLog2e);
      }
      if (!smooths) continue;
      FOVEA_UNROLL
      for (int e = 0; e < kPacket; ++e) {
        const float weight = weighs ? tile::load_global(p.class_weight + c + k * step + e) : 1.0f;
        smooth += weight == 0 ? 0.0f : x[e] * weight;
      }
    }
    sums.powers += powers;
    sums.smooth += smooth;
  }

  FOVEA_DEVICE float loss_of(const Sums& sums, double log_sum) const {
    float target[1];
    uint32_t words[1];
    load_packet<kBytes, 1>(p.logits, from + row.target, words);
    widen_packet<kBytes, 1>(p.logits, words, target);
    const float own = row.own_share(p);
    double loss =
        own == 0 ? 0 : double(own) * (double(sums.reference) - double(target[0]) + log_sum);
    if (p.smoothing > 0) {
      const double all = sums_weights(p) ? double(tile::load_global(p.weights)) : double(p.classes);
      const double smooth = all * (double(sums.reference) + log_sum) - double(sums.smooth);
      loss += double(p.smoothing) / double(p.classes) * smooth;
    }
    return float(loss);
  }
};

template <typename Types>
FOVEA_DEVICE void take_by_warp(const CrossEntropyParams& p, int64_t item) {
  const uint32_t thread = tile::thread_index();
  const int64_t number = item * kWarps + thread / tile::kWarp;
  if (number >= p.rows) return;
  const Losses<Types> row(p, number);
  Sums sums = row.sum(int32_t(thread % tile::kWarp), tile::kWarp);
  sums.add_warp();
  if (thread % tile::kWarp == 0) row.write(sums);
}

template <typename Types>
FOVEA_DEVICE void take_by_block(const CrossEntropyParams& p, int64_t item) {
  const uint32_t thread = tile::thread_index(), shared = tile::shared_base();
  const Losses<Types> row(p, item);
  Sums sums = row.sum(int32_t(thread), kThreads);
  sums.add_warp();
  const uint32_t at = shared + thread / tile::kWarp * 12;
  if (thread % tile::kWarp == 0) {
    tile::store_shared(at, tile::as_bits(sums.reference));
    tile::store_shared(at + 4, tile::as_bits(sums.powers));
    tile::store_shared(at + 8, tile::as_bits(sums.smooth));
  }
  tile::sync_block();
  if (thread >= tile::kWarp) return;
  const bool there = thread < kWarps;
  const auto load = [&](uint32_t word, float other) {
    return there ? tile::as_float(tile::load_shared(shared + thread * 12 + 4 * word)) : other;
  };
  sums = {load(0, -3.402823466e38f), load(1, 0), load(2, 0)};
  sums.add_warp();
  if (thread == 0) row.write(sums);
}

FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kThreads, 4)
void cross_entropy_losses(const CrossEntropyParams p) {
  const int64_t item = p.first_item + tile::block_index();
  with_packet_type(p.logits, p.packet, [&](auto* types) {
    using Types = std::remove_pointer_t<decltype(types)>;
    if (p.whole_block) {
      take_by_block<Types>(p, item);
    } else {
      take_by_warp<Types>(p, item);
    }
  });
}

}  // namespace

CrossEntropyKernel* losses_kernel() { return cross_entropy_losses; }

}  // namespace fovea::cross_entropy::cuda
