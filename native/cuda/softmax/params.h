// What kernels over sequences of queries and keys share in what they are given.
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

// What a launch makes of a plan and its spec. Lengths and heads fit 32 bits: kernels count in them.
struct SequenceParams {
  int64_t first_item;  // of this launch: block 0 does it
  int64_t pairs;       // (batch, key head) pairs
  int64_t section;     // pairs whose tiles run side by side
  int32_t query_length, key_length;  // the longest
  int32_t query_heads, key_heads;
  Divisor group;  // query heads to a key head
  int32_t head_dim, value_head_dim;
  int32_t tiles;  // for each pair
};

// Those with a softmax over pairs of queries and keys.
struct PairParams : SequenceParams {
  uint32_t dropout_threshold;  // draws below it are dropped; 0 = no dropout
  float dropout_scale;         // of what is kept
  uint64_t dropout_seed;
  uint32_t dropout_offset;
};

// Of shared memory for what all threads of a block know of its rows.
constexpr int kAttentionRowsBytes = 64;

}  // namespace fovea::cuda
