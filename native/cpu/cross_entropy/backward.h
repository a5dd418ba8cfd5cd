// Gradients of rows: each logit is read once, and its gradient written once.
#pragma once

#include "cpu/cross_entropy/rows.h"

namespace fovea::cross_entropy::cpu::FOVEA_TIER {

// kWeighs: classes have a share of a target each by its weight, not all the same or none.
template <typename T, typename G, bool kWeighs>
class Backward {
 public:
  Backward(const Spec& spec, const BackwardOperands& operands, float weights)
      : spec_(spec),
        operands_(operands),
        weights_(weights),
        streams_(rows_of(spec) * spec.classes * int64_t{sizeof(G)} >= kStreamedBytes),
        output_(streams_) {}

  void run(int64_t first, int64_t end) {
    for (int64_t number = first; number < end; ++number) {
      const Row row(spec_, operands_, number);
      const T* const x = static_cast<const T*>(operands_.logits) + row.at(spec_.logits_stride);
      G* const to = static_cast<G*>(operands_.dlogits) + row.at(spec_.dlogits_stride);
      if (row.is_ignored()) {
        put(x, to, [](auto how, int64_t, int64_t n, const T*, G* part) {
          write_row(how, part, n, [](int64_t, int64_t) { return float8{}; });
        });
        continue;
      }
      set_factors(row);
      put(x, to, [&](auto how, int64_t begin, int64_t n, const T* from, G* part) {
        write(how, begin, n, from, part);
      });
    }
    output_.end();
  }

 private:
  // Calls body(how, begin, count, x, to) for parts of a row. What is read while others are written past the caches
  // is late: it is fetched `kNext` ahead.
  template <typename Body>
  void put(const T* x, G* to, Body body) {
    constexpr int64_t kLine = 64 / int64_t{sizeof(G)}, kLong = 512, kNext = 4096 / int64_t{sizeof(T)};
    const int64_t count = spec_.classes;
    if (!streams_ || count < kLong || output_.takes_lines(to, count)) {
      return map_neighbours(x, to, count, output_, kNext, body);
    }
    // Rows begin anywhere. Lines that two of them share go through the caches: beside as many others they cost
    // less than if all were put together in L1.
    const int64_t head = int64_t(-reinterpret_cast<uintptr_t>(to) / sizeof(G) % kLine);
    const int64_t body_end = count - (count - head) % kLine;
    body(Cached{}, int64_t{0}, head, x, to);
    body(Streamed<T>{x + head + kNext}, head, body_end - head, x + head, to + head);
    body(Cached{}, body_end, count - body_end, x + body_end, to + body_end);
  }

  void set_factors(const Row& row) {
    const double dout = double(operands_.dout[row.at(spec_.dout_stride)]);
    const double own = row.own_share(spec_, operands_), share = class_share(spec_);
    target_ = row.target;
    of_target_ = float(dout * own);
    of_class_ = splat(share == 0 ? 0 : float(dout * share));
    of_power_ = splat(float(dout * (own + share * double(weights_))));
    lse_ = splat(operands_.lse[row.at(spec_.lse_stride)]);
  }

  // Of a vector of logits, from class `c` on, of which a few may be there.
  vfloat gradient(vfloat x, vfloat weight) const {
    const vfloat power = exp2((x - lse_) * splat(kLog2E));
    return power * of_power_ - (kWeighs ? of_class_ * weight : of_class_);
  }

  // Sixteen of them.
  struct Sixteen {
    float8 low, high;
  };
  Sixteen sixteen(const T* x, int64_t c) const {
    vfloat v[16 / kLanes];
#pragma GCC unroll 2
    for (int k = 0; k < 16 / kLanes; ++k) {
      const vfloat weight =
          kWeighs ? load_vector(operands_.class_weight + c + k * kLanes) : vfloat{};
      v[k] = gradient(load_vector(x + k * kLanes), weight);
    }
    Sixteen all;
    halves_of(v, all.low, all.high);
    if (target_ >= c && target_ < c + 16) [[unlikely]] all = without_target(all, target_ - c);
    return all;
  }
  [[gnu::noinline]] Sixteen without_target(const Sixteen& all, int64_t at) const {
    float some[16];
    store8(some, all.low);
    store8(some + 8, all.high);
    some[at] -= of_target_;
    return {load8(some), load8(some + 8)};
  }
  [[gnu::noinline]] void write_last(const T* x, int64_t c, int64_t count, G* to) const {
    const LastOnes<T> last(x, count, 0);
    const LastOnes<float> weights(kWeighs ? operands_.class_weight + c : nullptr, kWeighs ? count : 0, 0);
    alignas(64) float some[16];
    for (int k = 0; k < 16; k += kLanes) store(some + k, gradient(load(last.x + k), load(weights.x + k)));
    if (target_ >= c && target_ < c + count) some[target_ - c] -= of_target_;
    store_some(to, load8(some), std::min<int64_t>(count, 8));
    if (count > 8) store_some(to + 8, load8(some + 8), count - 8);
  }

  void write(Cached, int64_t begin, int64_t count, const T* x, G* to) const {
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      const Sixteen all = sixteen(x + i, begin + i);
      store8(to + i, all.low);
      store8(to + i + 8, all.high);
    }
    if (i < count) write_last(x + i, begin + i, count - i, to + i);
  }
  void write(Streamed<T> how, int64_t begin, int64_t count, const T* x, G* to) const {
    for (int64_t i = 0; i < count; i += 16) {
      __builtin_prefetch(how.next + i, 0, 2);
      const Sixteen all = sixteen(x + i, begin + i);
      stream16(to + i, all.low, all.high);
    }
  }

  const Spec& spec_;
  const BackwardOperands& operands_;
  const float weights_;
  const bool streams_;  // past the caches
  Output<G> output_;
  // Of a row: what its target, each class and each probability are multiplied by.
  int64_t target_ = 0;
  float of_target_ = 0;
  vfloat of_class_, of_power_, lse_;
};

}  // namespace fovea::cross_entropy::cpu::FOVEA_TIER
