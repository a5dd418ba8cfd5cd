// dquery, and what the later sweep over keys needs of the state: a block has columns of the keys of a key
// head, from the first token to the last.

#include "cuda/linear/column_sweep.cuh"

namespace fovea::linear::cuda {
namespace {

template <typename Panel>
class Queries : ColumnSweep<Panel> {
  using Base = ColumnSweep<Panel>;
  using Base::b;
  using Base::kColumns;
  using Base::p;
  using Base::state;
  using Base::tokens;

 public:
  FOVEA_DEVICE Queries(const BackwardParams& params) : Base(params) {}

  FOVEA_DEVICE void run() {
    load_states();
    Base::template for_each_chunk<true>(
        [&](const Chunk& chunk) {
          Base::load_queries(chunk);
          if (chunk.first) Base::load_keys(chunk);
        },
        [&](const Chunk& chunk) { take(chunk); });
    Base::pad_queries(b.dquery, p.spec.gradient_dtype, p.spec.dquery_stride);
  }

 private:
  FOVEA_DEVICE void take(const Chunk& chunk) {
    FOVEA_NO_UNROLL
    for (int32_t t = 0; t < chunk.count; ++t) {
      const uint32_t token = chunk.from + t;
      const bool has_key = tokens.has_key(token);
      if (chunk.first) {
        if (has_key) take_key(token, t);
        slope_ = 0;
      }
      if (tokens.has_query(token)) {
        FOVEA_NO_UNROLL
        for (int32_t h = 0; h < chunk.heads; ++h) {
          take_query(token, chunk.head + h, chunk.row_of(t, h));
        }
      }
      if (chunk.last && has_key && Base::has_slopes() && Base::owns()) {
        tile::store_global(b.slopes + Base::kept_at(token), slope_);
      }
    }
  }

  // With the delta rule the part of dkey that comes from what the state held for it.
  FOVEA_DEVICE void take_key(uint32_t token, int32_t t) {
    Base::decay(t);
    if (Base::has_delta()) {
      const float correction = Base::read(p.chunk.step_rows, t, 0.0f);
      if (Base::owns()) tile::store_global(b.corrections + Base::kept_at(token), correction);
    }
    Base::update(p.chunk.key_rows, p.chunk.key_columns, t, Base::key_weight());
  }

  FOVEA_DEVICE void take_query(uint32_t token, int32_t head, int32_t row) {
    const float gradient = Base::read(p.chunk.query_rows, row, Base::query_weight(row));
    if (!Base::owns()) return;
    const float query = load_float(Base::own_of(p.chunk.query_columns, row));
    slope_ = tile::fused_multiply_add(query, gradient, slope_);
    store_number(b.dquery, p.spec.gradient_dtype,
                 Base::query_offset(p.spec.dquery_stride, token, head) + Base::own_column(),
                 Base::features().slope(query, gradient), false);
  }

  FOVEA_DEVICE void load_states() {
    if (p.spec.has_initial_state) {
      const float* const from = p.initial_state + Base::state_offset(p.spec.initial_state_stride);
      state.each([&](float& x, int32_t row, int c) {
        if (row >= p.value_head_dim || Base::column(c) >= Base::columns) return;
        x = tile::load_global(from + Base::column(c) * p.spec.initial_state_stride[2] + row);
      });
    }
    if (!p.spec.has_initial_sum) return;
    const float* const from = p.initial_sum + Base::state_offset(p.spec.initial_sum_stride);
    FOVEA_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      if (Base::column(c) < Base::columns) {
        Base::weights[c] = tile::load_global(from + Base::column(c));
      }
    }
  }

  float slope_ = 0;  // of a token: phi(query) dphi(query), summed over its queries
};

template <int kPanel>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kMostThreads, 2)
void linear_backward_queries(const BackwardParams b) {
  Queries<PanelOf<kPanel>>(b).run();
}

}  // namespace

BackwardKernel* backward_queries_kernel(int panel) {
  return with_panel(panel, []<int kPanel>(PanelOf<kPanel>*) -> BackwardKernel* {
    return linear_backward_queries<kPanel>;
  });
}

}  // namespace fovea::linear::cuda
