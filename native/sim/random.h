// Random decisions of a schedule: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), small and fast.
#pragma once

#include <cstdint>

namespace fovea::sim {

class Random {
 public:
  explicit Random(uint64_t seed = 0) : state_(seed) {}

  uint64_t next() {
    uint64_t x = state_ += 0x9E3779B97F4A7C15;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
    x = (x ^ x >> 27) * 0x94D049BB133111EB;
    return x ^ x >> 31;
  }
  uint32_t below(uint32_t bound) { return uint32_t((next() >> 32) * bound >> 32); }

 private:
  uint64_t state_;
};

}  // namespace fovea::sim
