// Gradients of rows: each logit is read once, and its gradient written once.
#pragma once

#include "cpu/cross_entropy/rows.h"

namespace fovea::cross_entropy::cpu::FOVEA_TIER {

// A line that one row ends in and the next begins in: written past the caches in two parts it would
// take several times as long as others, and through them it would have to be read.
template <typename G>
class SharedLine {
 public:
  static constexpr int64_t kElements = 64 / int64_t{sizeof(G)};

  SharedLine() = default;
  SharedLine(const SharedLine&) = delete;
  SharedLine& operator=(const SharedLine&) = delete;

  // Where elements [begin, end) of a line are to be written, before the next call; the 16 before and
  // behind them may be, too.
  G* part(G* line, int64_t begin, int64_t end) {
    if (line != line_ || begin != end_) {
      flush();
      line_ = line;
      begin_ = begin;
    }
    end_ = end;
    return elements_ + 16 + begin;
  }

  void flush() {
    const G* const from = elements_ + 16;
    if (end_ - begin_ == kElements) {
      for (int64_t i = 0; i < kElements; i += 16) {
        put16(line_ + i, true, [&](int64_t k) { return load_vector(from + i + k); });
      }
    } else if (end_ > begin_) {
      std::memcpy(line_ + begin_, from + begin_, size_t(end_ - begin_) * sizeof(G));
    }
    begin_ = end_ = 0;
  }

 private:
  alignas(64) G elements_[16 + kElements + 16];
  G* line_ = nullptr;
  int64_t begin_ = 0, end_ = 0;
};

// kWeighs: classes have a share of a target each by its weight, not all the same or none.
template <typename T, typename G, bool kWeighs>
class Backward {
 public:
  Backward(const Spec& spec, const BackwardOperands& operands, float weights)
      : spec_(spec),
        operands_(operands),
        weights_(weights),
        streams_(spec.classes >= kLine &&
                 rows_of(spec) * spec.classes * int64_t{sizeof(G)} >= kStreamedBytes) {}

  void run(int64_t first, int64_t end) {
    for (int64_t number = first; number < end; ++number) {
      const Row row(spec_, operands_, number);
      const T* const x = static_cast<const T*>(operands_.logits) + row.at(spec_.logits_stride);
      G* const to = static_cast<G*>(operands_.dlogits) + row.at(spec_.dlogits_stride);
      if (row.is_ignored()) {
        put(x, to, [](int64_t) { return vfloat{}; });
        continue;
      }
      set_factors(row);
      if (spec_.classes < kLanes) {
        put_few(x, to);
        continue;
      }
      put(x, to, [&](int64_t c) { return gradients(x, c); });
    }
    line_.flush();
    if (streams_) end_streams();
  }

 private:
  static constexpr int64_t kLine = SharedLine<G>::kElements;

  // make(c) gives those of classes [c, c + kLanes), all of which are there.
  template <typename Make>
  void put(const T* x, G* to, Make make) {
    const int64_t count = spec_.classes;
    if (count < kLanes) return store_first(to, make(0), count);
    if (!streams_) {
      for (int64_t c = 0; c + kLanes <= count; c += kLanes) store_vector(to + c, make(c));
      if (count % kLanes > 0) store_vector(to + count - kLanes, make(count - kLanes));
      return;
    }
    const int64_t begin = int64_t(reinterpret_cast<uintptr_t>(to) / sizeof(G) % kLine);
    int64_t c = (kLine - begin) % kLine;
    if (c > 0) {
      G* const part = line_.part(to - begin, begin, kLine);
      for (int64_t i = 0; i < c; i += kLanes) store_vector(part + i, make(i));
    }
    const Ahead ahead(spec_, x);
    for (int64_t fetched = 0; c + kLine <= count; c += kLine) {
      if (c >= fetched) {
        ahead.fetch(x + c);
        fetched = c + kFetchedBytes / int64_t{sizeof(T)};
      }
      for (int64_t i = c; i < c + kLine; i += 16) {
        put16(to + i, true, [&](int64_t k) { return make(i + k); });
      }
    }
    if (c == count) return;
    G* const part = line_.part(to + c, 0, count - c);
    for (int64_t i = count; i > c; i -= kLanes) {
      store_vector(part + i - c - kLanes, make(i - kLanes));
    }
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

  vfloat gradients(const T* x, int64_t c) const {
    const vfloat v =
        without_target(load_vector(x + c), kWeighs ? load_vector(operands_.class_weight + c) : vfloat{});
    const int64_t at = target_ - c;
    if (at >= 0 && at < kLanes) [[unlikely]] return less(v, at);
    return v;
  }
  vfloat without_target(vfloat x, vfloat weight) const {
    const vfloat power = exp2((x - lse_) * splat(kLog2e));
    return power * of_power_ - (kWeighs ? of_class_ * weight : of_class_);
  }
  [[gnu::noinline]] vfloat less(vfloat v, int64_t at) const {
    v[at] -= of_target_;
    return v;
  }

  // Of a row that fills no vector.
  [[gnu::noinline]] void put_few(const T* x, G* to) const {
    const int64_t count = spec_.classes;
    const vfloat weight = kWeighs ? load_first(operands_.class_weight, count) : vfloat{};
    store_first(to, less(without_target(load_first(x, count), weight), target_), count);
  }

  const Spec& spec_;
  const BackwardOperands& operands_;
  const float weights_;
  const bool streams_;  // past the caches
  SharedLine<G> line_;
  // Of a row: what its target, each class and each probability are multiplied by.
  int64_t target_ = 0;
  float of_target_ = 0;
  vfloat of_class_, of_power_, lse_;
};

}  // namespace fovea::cross_entropy::cpu::FOVEA_TIER
