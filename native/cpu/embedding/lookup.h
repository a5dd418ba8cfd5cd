// Rows of out. Memory bounds it.
#pragma once

#include "cpu/embedding/kernels.h"
#include "cpu/image/rows.h"

namespace fovea::embedding::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// Of tokens in their order.
struct Token {
  int64_t batch, row;

  Token(const Spec& spec, int64_t token) : batch(token / spec.length), row(token % spec.length) {}
  void next(const Spec& spec) {
    if (++row < spec.length) return;
    row = 0;
    ++batch;
  }
  int64_t index(const Indices& of) const { return of.given ? of.at[batch * of.stride + row] : row; }
};

// No processor foresees which row of the table is next: it is fetched while the row before the one before it
// is written.
constexpr int64_t kAhead = 2;

template <typename From, typename To>
void look_up(const Spec& spec, const ForwardOperands& operands, int64_t first, int64_t end) {
  const auto* const table = static_cast<const From*>(operands.table);
  const auto* const positions = static_cast<const From*>(operands.positions);
  const Indices ids = ids_of(spec, operands), position_ids = position_ids_of(spec, operands);
  const int64_t stride = spec.table_stride[0];
  const float8 scale = splat8(spec.scale);
  Output<To> output(tokens_of(spec) * spec.width * int64_t{sizeof(To)} >= kStreamedBytes);
  Token token(spec, first), ahead = token;
  for (int64_t i = 0; i < kAhead && first + i < end; ++i) {
    prefetch_row(table + ahead.index(ids) * stride, spec.width);
    if (first + i + 1 < end) ahead.next(spec);
  }
  for (; first < end; ++first, token.next(spec)) {
    const From* const row = table + token.index(ids) * stride;
    const From* const next = table + ahead.index(ids) * stride;
    const From* const added =
        positions == nullptr ? nullptr
                             : positions + token.index(position_ids) * spec.positions_stride[0];
    To* const to = static_cast<To*>(operands.out) + token.batch * spec.out_stride[0] +
                   token.row * spec.out_stride[1];
    map_neighbours(row, to, spec.width, output, next - row,
                   [&](auto how, int64_t at, int64_t n, const From* from, To* out) {
                     write_row(how, out, n, [&](int64_t i, int64_t count) {
                       const float8 x = load_of(from, i, count) * scale;
                       return added == nullptr ? x : x + load_of(added + at, i, count);
                     });
                   });
    if (first + kAhead + 1 < end) ahead.next(spec);
  }
  output.end();
}

}  // namespace fovea::embedding::cpu::FOVEA_TIER
