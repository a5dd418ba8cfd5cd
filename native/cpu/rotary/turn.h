// The kernel of one instruction set tier, compiled once per tier; see simd.h for FOVEA_TIER. Memory bounds it in
// float32, so eight pairs at a time do on every tier. Rows gathered in L1 first (cpu/image/output.h) took a fifth
// longer.
#pragma once

#include "core/operation.h"
#include "cpu/rotary/kernels.h"
#include "cpu/rotary/row.h"

namespace fovea::rotary::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// An output this large whose pieces of rows are whole lines of a cache.
template <typename To>
bool is_streamed(const Spec& spec, const Turn& turn) {
  const int64_t bytes = sizeof(To), (&stride)[3] = turn.to.stride;
  if (spec.batch * spec.length * spec.heads * spec.head_dim * bytes < kStreamedBytes) return false;
  const int64_t all = reinterpret_cast<intptr_t>(turn.to.data) | spec.head_dim * bytes |
                      spec.pairs * bytes | stride[0] * bytes | stride[1] * bytes |
                      stride[2] * bytes;
  return all % 64 == 0;
}

template <typename From, typename To>
void turn_rows(const Spec& spec, const Inputs& inputs, const Turn& turn, const Tile& tile) {
  const int64_t(&from)[3] = turn.from.stride, (&to)[3] = turn.to.stride;
  Row<From, To> row = {nullptr, nullptr, spec.pairs, spec.head_dim, is_streamed<To>(spec, turn)};
  const auto turn_row = [&](int64_t s, int64_t head) {
    const int64_t position = position_of(spec, inputs, tile.batch, s);
    const Angles angles = {inputs.cosines + tile.batch * spec.cosines_stride[0] +
                               position * spec.cosines_stride[1],
                           inputs.sines + tile.batch * spec.sines_stride[0] +
                               position * spec.sines_stride[1],
                           turn.back ? -1.0f : 1.0f};
    row.from = static_cast<const From*>(turn.from.data) + tile.batch * from[0] + s * from[1] +
               head * from[2];
    row.to = static_cast<To*>(turn.to.data) + tile.batch * to[0] + s * to[1] + head * to[2];
    // What is read while others are written past the caches is late: 0.57 of a copy without it, 0.67 with it.
    prefetch_row(row.from + 4096 / sizeof(From), spec.head_dim);
    if (spec.interleaved) {
      row.turn_neighbours(angles);
    } else {
      row.turn_halves(angles);
    }
    row.copy_rest();
  };
  // As the output lies.
  if (to[1] >= to[2]) {
    for (int64_t s = tile.first; s < tile.end; ++s) {
      for (int64_t head = 0; head < spec.heads; ++head) turn_row(s, head);
    }
  } else {
    for (int64_t head = 0; head < spec.heads; ++head) {
      for (int64_t s = tile.first; s < tile.end; ++s) turn_row(s, head);
    }
  }
  if (row.streams) end_streams();
}

inline void turn_tile(const Spec& spec, const Inputs& inputs, const Turn& turn, const Tile& tile) {
  with_type(turn.from.dtype, [&](auto from) {
    with_type(turn.to.dtype, [&](auto to) {
      turn_rows<decltype(from), decltype(to)>(spec, inputs, turn, tile);
    });
  });
}

void run_forward(const Spec& spec, const ForwardOperands& operands, const Tile& tile) {
  turn_tile(spec, operands, turn_of(spec, operands), tile);
}

void run_backward(const Spec& spec, const BackwardOperands& operands, const Tile& tile) {
  turn_tile(spec, operands, turn_of(spec, operands), tile);
}

}  // namespace fovea::rotary::cpu::FOVEA_TIER
