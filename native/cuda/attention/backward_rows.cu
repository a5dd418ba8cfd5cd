// What the backward pass knows of each query row before it looks at a key, and what it gathers from
// rows alone: delta = <dout, out> (Dao, FlashAttention-2, arXiv 2307.08691, algorithm 2), lse in units
// of log2, and the gradient of sinks.

#include "cuda/attention/backward_rows.cuh"

#include "core/constants.h"
#include "cuda/attention/backward_table.h"
#include "cuda/attention/gates.cuh"
#include "tile/grid.cuh"

namespace fovea::attention::cuda {
namespace {

// Where the gradients of a row's gates go.
FOVEA_DEVICE float* gate_gradients(const BackwardParams& b, const AttentionRows& rows, int32_t position,
                                   int32_t head) {
  return b.doutput_gates + gate_offset(b.forward.spec.doutput_gates_stride, rows, position, head);
}

// Of the tile's rows that are padding.
FOVEA_DEVICE void clear_gate_gradients(const BackwardParams& b, const AttentionRows& rows) {
  const AttentionParams& p = b.forward;
  if (b.doutput_gates == nullptr) return;
  const int width = p.spec.doutput_gates_stride[3] == 0 ? 1 : p.value_head_dim;
  const int lane = int(tile::thread_index() % tile::kWarp);
  for (int32_t row = int32_t(tile::thread_index() / tile::kWarp); row < b.padding; row += kRowWarps) {
    if (row < rows.count || !exists(p, rows, uint32_t(row))) continue;
    float* const to = gate_gradients(b, rows, rows.position(row), rows.head(row));
    for (int d = lane; d < width; d += tile::kWarp) tile::store_global(to + d, 0.0f);
  }
}

// A tile of `padding` rows of a pair, a warp for each row. Gates of the output are in dout from here on.
template <bool kGated>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kRowThreads, 1) void backward_rows(const BackwardParams b) {
  tile::let_next_kernel_start();
  const AttentionParams& p = b.forward;
  const AttentionItem at = locate_item(p);
  AttentionRows rows = locate_pair(p, at.batch, at.key_head);
  set_rows(rows, at.tile, uint32_t(b.padding));
  if constexpr (kGated) clear_gate_gradients(b, rows);
  if (rows.count <= 0) return;
  const int64_t base = workspace_row(b, rows, 0, rows.first_head) + rows.first();
  const int lane = int(tile::thread_index() % tile::kWarp);
  for (int32_t row = int32_t(tile::thread_index() / tile::kWarp); row < b.padding;
       row += kRowWarps) {
    float lse2 = kAbsentLse, delta = 0, squares = 0;
    if (row < rows.count) {
      const int32_t position = rows.position(row), head = rows.head(row);
      const float lse = tile::load_global(p.lse + rows.lse_offset(p, position, head));
      // A row that sees no key has gradients of zero, whatever its dout.
      const float offset = p.spec.dtype == FOVEA_FLOAT16 ? kFloat16WeightOffset : 0.0f;
      lse2 = lse == -tile::kInfinity ? kDeadLse : lse * kLog2e - offset;
      if (lse2 == 0) lse2 = 0;  // of either sign: that of the other means something
      tile::with_type(p.spec.out_dtype, [&](auto* type) {
        using Out = std::remove_pointer_t<decltype(type)>;
        const Out* const out =
            static_cast<const Out*>(p.out) + rows.offset(p.spec.out_stride, position, head);
        const Out* const dout = static_cast<const Out*>(b.dout) +
                                rows.offset(p.spec.dout_stride, position, head);
        const bool by_head = kGated && p.spec.doutput_gates_stride[3] == 0;
        float head_gradient = 0;
        for (int d = lane; d < p.value_head_dim; d += tile::kWarp) {
          float x = tile::widen(tile::load_global(dout + d));
          const float y = tile::widen(tile::load_global(out + d));
          if constexpr (kGated) {
            const float logit = load_output_gate(
                p, gate_offset(p.spec.output_gates_stride, rows, position, head), d);
            if (b.doutput_gates != nullptr) {
              const float gradient = lse == -tile::kInfinity ? 0 : x * y * sigmoid_slope(logit);
              head_gradient += gradient;
              if (!by_head) {
                tile::store_global(gate_gradients(b, rows, position, head) + d, gradient);
              }
            }
            x *= sigmoid(logit);
          }
          delta = tile::fused_multiply_add(x, y, delta);
          squares = tile::fused_multiply_add(x, x, squares);
          if (b.dout_copy == nullptr) continue;
          tile::with_type(p.spec.dtype, [&](auto* to) {
            tile::store_rounded(static_cast<decltype(to)>(b.dout_copy) +
                              rows.offset(b.dout_factor_stride, position, head) + d,
                          x);
          });
        }
        if (by_head && b.doutput_gates != nullptr) {
          head_gradient = tile::warp_sum(head_gradient);
          if (lane == 0) {
            tile::store_global(gate_gradients(b, rows, position, head), head_gradient);
          }
        }
      });
      delta = tile::warp_sum(delta);
      if (lse == -tile::kInfinity) delta = 0;
      if (b.norm != nullptr) squares = tile::warp_sum(squares);
    }
    if (lane == 0) {
      tile::store_global(b.lse2 + base + row, lse2);
      tile::store_global(b.delta + base + row, delta);
      if (b.norm != nullptr) {
        // Rounded up, by more than the sum was rounded down.
        const float norm = tile::square_root(squares) * (1 + 0x1p-12f);
        tile::store_global(b.norm + base + row, lse2 == kDeadLse ? 0.0f : norm);
      }
    }
    if (b.dquery_sums != nullptr) {
      for (int d = lane; d < b.sum_width; d += tile::kWarp) {
        tile::store_global(b.dquery_sums + (base + row) * b.sum_width + d, 0.0f);
      }
    }
  }
}

// The power of two that a sink weighs in a row. Natural units: in those of log2 it may be infinite.
FOVEA_DEVICE float sink_exponent(const BackwardParams& b, const AttentionRows& rows, float sink,
                                 int32_t position, int32_t head, int64_t at) {
  const AttentionParams& p = b.forward;
  const float lse2 = tile::load_global(b.lse2 + at);
  if (lse2 == kDeadLse) return -tile::kInfinity;
  if (!is_split(lse2)) {
    return (sink - tile::load_global(p.lse + rows.lse_offset(p, position, head))) * kLog2e;
  }
  const float highest = tile::load_global(b.highest + at) * (b.general ? 1.0f : p.spec.scale);
  return (sink - highest) * kLog2e - tile::load_global(b.rest + at) * p.softmax_scale;
}

// dsink = -sum_i exp(sink - lse_i) delta_i, a block for each head.
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kRowThreads, 1) void backward_sinks(const BackwardParams b) {
  const AttentionParams& p = b.forward;
  const int32_t head = int32_t(p.first_item + tile::block_index());
  const uint32_t key_head = divide(head, p.group), batches = uint32_t(p.pairs / p.key_heads);
  const float sink = tile::load_global(p.sinks + head);
  float sum = 0;
  for (uint32_t batch = 0; batch < batches; ++batch) {
    const AttentionRows rows = locate_pair(p, batch, key_head);
    for (int32_t i = int32_t(tile::thread_index()); i < rows.query_length; i += kRowThreads) {
      const int64_t row = workspace_row(b, rows, i, head);
      const float weight = tile::exp2_approx(sink_exponent(b, rows, sink, i, head, row));
      sum = tile::fused_multiply_add(-weight, tile::load_global(b.delta + row), sum);
    }
  }
  sum = block_sum(sum, tile::shared_base(), kRowWarps);
  if (tile::thread_index() == 0) tile::store_global(b.dsinks + head, sum);
}

// dcontent_bias and dposition_bias, a block for each head: their parts, in their order.
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kRowThreads,
                                 1) void backward_query_biases(const BackwardParams b) {
  const AttentionParams& p = b.forward;
  const int32_t head = int32_t(p.first_item + tile::block_index());
  const auto sum = [&](const float* parts, int64_t count, float* to, int64_t stride) {
    for (int32_t d = int32_t(tile::thread_index()); d < p.head_dim; d += kRowThreads) {
      float total = 0;
      for (int64_t n = 0; n < count; ++n) {
        total += tile::load_global(parts + (n * p.query_heads + head) * p.head_dim + d);
      }
      tile::store_global(to + head * stride + d, total * p.spec.scale);
    }
  };
  if (b.dcontent_bias != nullptr) {
    sum(b.content_parts, b.content_count, b.dcontent_bias, p.spec.dcontent_bias_stride[0]);
  }
  if (b.dposition_bias != nullptr) {
    sum(b.position_parts, b.position_count, b.dposition_bias, p.spec.dposition_bias_stride[0]);
  }
}

}  // namespace

BackwardKernel* backward_query_biases_kernel() { return backward_query_biases; }

BackwardKernel* backward_rows_kernel(bool gated) {
  return gated ? backward_rows<true> : backward_rows<false>;
}
BackwardKernel* backward_sinks_kernel() { return backward_sinks; }

}  // namespace fovea::attention::cuda
