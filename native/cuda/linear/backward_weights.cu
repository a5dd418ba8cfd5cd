// Of each query where out is normalised: 1 / its sum of weights, and what the gradient of out gives to that
// sum, <dout, out> / sum. A block has a key head; its warps take turns at the queries.

#include "cuda/linear/row_sweep.cuh"

namespace fovea::linear::cuda {
namespace {

template <typename Panel>
class Weights : RowSweep<Panel> {
  using Base = RowSweep<Panel>;
  using Base::p;
  using Base::tokens;

 public:
  FOVEA_DEVICE Weights(const BackwardParams& params) : Base(params.forward), b(params) {}

  FOVEA_DEVICE void run() {
    Base::load_weights();
    Base::template for_each_chunk<true>(
        [&](const Chunk& chunk) {
          Base::load_queries(chunk);
          if (chunk.first) Base::load_keys_and_decays(chunk);
        },
        [&](const Chunk& chunk) { take(chunk); });
  }

 private:
  FOVEA_DEVICE void take(const Chunk& chunk) {
    FOVEA_NO_UNROLL
    for (int32_t t = 0; t < chunk.count; ++t) {
      const uint32_t token = chunk.from + t;
      if (chunk.first && tokens.has_key(token)) Base::step_weights(t);
      if (!tokens.has_query(token)) continue;
      FOVEA_NO_UNROLL
      for (int32_t h = 0; h < chunk.heads; ++h) {
        const int32_t row = chunk.row_of(t, h);
        if (row % p.warps == warp()) take_query(token, chunk.head + h, row);
      }
    }
  }

  FOVEA_DEVICE void take_query(uint32_t token, int32_t head, int32_t row) {
    const float inverse = Base::weights.inverse(Base::row(p.chunk.query_rows, row));
    const int64_t dout = Base::query_offset(p.spec.dout_stride, token, head);
    const int64_t out = Base::query_offset(p.spec.out_stride, token, head);
    float product = 0;
    FOVEA_NO_UNROLL
    for (int32_t c = lane(); c < p.value_head_dim; c += tile::kWarp) {
      product = tile::fused_multiply_add(load_number(b.dout, p.spec.out_dtype, dout + c),
                                         load_number(b.out, p.spec.out_dtype, out + c), product);
    }
    product = tile::warp_sum(product);
    if (lane() != 0) return;
    const int64_t at = Base::query_row(token, head);
    tile::store_global(b.inverses + at, inverse);
    tile::store_global(b.shares + at, inverse == 0 ? 0.0f : product * inverse);
  }

  const BackwardParams& b;
};

template <int kPanel>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kMostThreads, 2)
void linear_backward_weights(const BackwardParams b) {
  Weights<PanelOf<kPanel>>(b).run();
}

}  // namespace

BackwardKernel* backward_weights_kernel(int panel) {
  return with_panel(panel, []<int kPanel>(PanelOf<kPanel>*) -> BackwardKernel* {
    return linear_backward_weights<kPanel>;
  });
}

}  // namespace fovea::linear::cuda
