// What gates multiply: weights of keys on their way to a product, and rows of the output.
#pragma once

#include "cuda/attention/output.cuh"
#include "cuda/attention/scores.cuh"
#include "cuda/sigmoid.cuh"

namespace fovea::attention::cuda {

// ---- gates of keys ----------------------------------------------------------------------------

// Those of a sequence, from its first key on, for the heads whose gates begin at `head` strides.
struct KeyGates {
  const float* first;
  int64_t head_stride;
  int32_t keys;  // of the sequence

  FOVEA_DEVICE KeyGates(const AttentionParams& p, const AttentionRows& rows)
      : first(p.key_gates + rows.batch * p.spec.key_gates_stride[0] + rows.key_start),
        head_stride(p.spec.key_gates_stride[1]),
        keys(rows.key_length) {}

  // Alike for heads that share gates.
  FOVEA_DEVICE int32_t row_of(int32_t head) const { return head_stride == 0 ? 0 : head; }
  // Keys that are not there weigh nothing.
  FOVEA_DEVICE float of(int32_t row, int32_t key, bool slope) const {
    if (key >= keys) return 0;
    const float logit = tile::load_global(first + row * head_stride + key);
    return slope ? sigmoid_slope(logit) : sigmoid(logit);
  }
};

// Multiplies weights, or their gradients, by the gates of their keys or by the slopes of these. Rows of a
// thread are eight apart: where a group has 1, 2, 4 or 8 heads they are of one head, and a gate is computed
// once for all of them.
template <int kM, int kColumns>
FOVEA_DEVICE void gate_weights(tile::Fragment<kM, kColumns>& s, const AttentionParams& p,
                               const AttentionRows& rows, const ThreadRows& mine, int32_t first_key,
                               bool slope) {
  const KeyGates gates(p, rows);
  // Anew: held through the products, it made float32 of D 256 spill 88 bytes on sm_120.
  const int32_t first = first_key + int32_t(tile::thread_anew() % 4 * 2);
  int32_t of_row[kM][2];
  tile::each_row<kM>([&](int i, int h) { of_row[i][h] = gates.row_of(rows.head(mine.row(i, h))); });
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    FOVEA_UNROLL
    for (int e = 0; e < 2; ++e) {
      const int32_t key = first + 8 * j + e;
      int32_t row = -1;
      float gate = 0;
      tile::each_row<kM>([&](int i, int h) {
        if (of_row[i][h] != row) {
          row = of_row[i][h];
          gate = gates.of(row, key, slope);
        }
        s[i][j][2 * h + e] *= gate;
      });
    }
  }
}

// Zeroes what dropout drops, but does not scale the rest, and multiplies by gates of keys, or by the slopes of
// these.
template <int kM, int kColumns>
FOVEA_DEVICE void multiply_weights(tile::Fragment<kM, kColumns>& s, const AttentionParams& p,
                                   const AttentionRows& rows, const ThreadRows& mine,
                                   int32_t first_key, bool slope = false) {
  if (p.dropout_threshold != 0) drop_weights(s, p, rows, mine, first_key);
  if (p.key_gates != nullptr) gate_weights(s, p, rows, mine, first_key, slope);
}

// ---- gates of the output ----------------------------------------------------------------------

// The logit of an element of the output, of which a row's first is at `row`.
FOVEA_DEVICE float load_output_gate(const AttentionParams& p, int64_t row, int column) {
  const int64_t at = row + column * p.spec.output_gates_stride[3];
  float logit;
  tile::with_type(p.spec.output_gates_dtype, [&](auto* type) {
    using Gate = std::remove_pointer_t<decltype(type)>;
    logit = tile::widen(tile::load_global(static_cast<const Gate*>(p.output_gates) + at));
  });
  return logit;
}

FOVEA_DEVICE int64_t gate_offset(const int64_t (&stride)[4], const AttentionRows& rows,
                                 int32_t position, int32_t head) {
  return rows.batch * stride[0] + (int64_t{rows.query_start} + position) * stride[1] +
         head * stride[2];
}

// For store_sums: what multiplies the rows of a warp on their way out.
struct OutputGates {
  static constexpr bool kNone = false;
  const AttentionParams& p;
  const AttentionRows& rows;
  const uint32_t warp_row;
  const bool given;

  // 1 where there is no element.
  FOVEA_DEVICE float of(uint32_t row, int column) const {
    row += warp_row;
    if (int32_t(row) >= rows.count || column >= p.value_head_dim) return 1;
    const int64_t at =
        gate_offset(p.spec.output_gates_stride, rows, rows.position(row), rows.head(row));
    return sigmoid(load_output_gate(p, at, column));
  }
};

// out, and before it what it is without gates, if that is wanted: one code for both. Of a warp's rows from
// `warp_row` on, pieces of eight columns from `first_piece` on.
template <int kM, int kColumns>
FOVEA_DEVICE void store_gated_rows(const tile::Fragment<kM, kColumns>& out,
                                   const RowResults<kM>& results, int first_piece, uint32_t stage,
                                   const AttentionParams& p, const AttentionRows& rows,
                                   uint32_t warp_row) {
  FOVEA_NO_UNROLL
  for (int gated = p.ungated == nullptr; gated < 2; ++gated) {
    int64_t stride[3];
    FOVEA_UNROLL
    for (int i = 0; i < 3; ++i) {
      stride[i] = gated ? p.spec.out_stride[i] : p.spec.ungated_stride[i];
    }
    const OutputGates gates{p, rows, warp_row, gated && p.output_gates != nullptr};
    store_query_rows({gated ? p.out : p.ungated, p.spec.out_dtype, p.value_head_dim, false}, stride,
                     stage, out, first_piece, results.factor, true, p, rows, warp_row, gates);
  }
}

}  // namespace fovea::attention::cuda
