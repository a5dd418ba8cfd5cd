// Which accesses are ordered: a vector clock for each warp of a block. What two warps do is ordered
// where barriers say so, whatever the schedule was: a race is found though it happened to be lucky.
#pragma once

#include <algorithm>
#include <cstdint>

namespace fovea::sim {

constexpr uint32_t kWarp = 32;
constexpr uint32_t kMaxThreads = 1024;
constexpr uint32_t kMaxWarps = kMaxThreads / kWarp;

// Of every warp, the last epoch whose accesses are known to be over. The own component counts too:
// lanes of one warp see each other's accesses of the epochs up to it.
struct Clock {
  uint32_t seen[kMaxWarps];
  uint32_t async[kMaxWarps];  // likewise, of accesses that the asynchronous proxy knows of: a fence stood behind them

  void join(const Clock& other, uint32_t warps) {
    for (uint32_t w = 0; w < warps; ++w) {
      seen[w] = std::max(seen[w], other.seen[w]);
      async[w] = std::max(async[w], other.async[w]);
    }
  }
};

class Clocks {
 public:
  // Shadow memory keeps 26 bits of an epoch.
  static constexpr uint32_t kEpochs = 1u << 26;

  // A new block, for which all that came before is over. False when epochs may run out: restart().
  bool start(uint32_t warps) {
    const uint32_t last = *std::max_element(now_, now_ + kMaxWarps);
    warps_ = warps;
    begin_ = last + 1;
    for (uint32_t w = 0; w < kMaxWarps; ++w) {
      now_[w] = begin_;
      std::fill_n(clock_[w].seen, kMaxWarps, last);
      std::fill_n(clock_[w].async, kMaxWarps, last);
    }
    return begin_ < kEpochs / 2;
  }
  void restart(uint32_t warps) {
    std::fill_n(now_, kMaxWarps, 0u);
    start(warps);
  }

  uint32_t begin() const { return begin_; }  // the first epoch of this block
  uint32_t now(uint32_t warp) const { return now_[warp]; }
  const Clock& of(uint32_t warp) const { return clock_[warp]; }
  uint32_t warps() const { return warps_; }

  // The lanes of a warp have met.
  void meet(uint32_t warp) { clock_[warp].seen[warp] = now_[warp]++; }

  // What the warp did so far happens before whatever acquires `to`.
  void release(uint32_t warp, Clock& to) {
    to.join(clock_[warp], warps_);
    to.seen[warp] = now_[warp]++;
  }
  // The asynchronous proxy knows of all that is over for this warp.
  void publish(uint32_t warp) {
    Clock& own = clock_[warp];
    for (uint32_t w = 0; w < warps_; ++w) own.async[w] = std::max(own.async[w], own.seen[w]);
    own.async[warp] = now_[warp]++;
  }
  void acquire(uint32_t warp, const Clock& from) { clock_[warp].join(from, warps_); }

 private:
  uint32_t warps_ = 0;
  uint32_t begin_ = 0;
  uint32_t now_[kMaxWarps] = {};
  Clock clock_[kMaxWarps];
};

}  // namespace fovea::sim
