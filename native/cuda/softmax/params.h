// What kernels with a softmax over pairs of queries and keys share in what they are given.
#pragma once

#include <cstdint>

namespace fovea::cuda {

// Division by a number that is known before the launch, see divide() (Granlund and Montgomery, Division
// by invariant integers using multiplication, PLDI 1994).
struct Divisor {
  uint32_t value, multiplier, shift;

  // ceil(2^(31 + shift) / value) is off by less than 2^shift parts in 2^(31 + shift) n.
  static constexpr Divisor of(uint32_t value) {
    uint32_t shift = 0;
    while (uint64_t{1} << shift < value) ++shift;
    const uint64_t power = uint64_t{1} << (31 + shift);
    return {value, uint32_t((power + value - 1) / value), shift};
  }
};

// Of shared memory for what all threads of a block know of its rows.
constexpr int kAttentionRowsBytes = 64;

}  // namespace fovea::cuda
