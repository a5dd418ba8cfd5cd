// dvalue, dinitial_state and what betas get of each panel: the gradient of the state, which the queries
// change and the keys read, from the last token to the first.

#include "cuda/linear/gradients.cuh"
#include "cuda/linear/row_sweep.cuh"

namespace fovea::linear::cuda {
namespace {

template <typename Panel>
class Values : RowSweep<Panel> {
  using Base = RowSweep<Panel>;
  using Base::kColumns;
  using Base::kRows;
  using Base::p;
  using Base::state;
  using Base::tokens;

 public:
  FOVEA_DEVICE Values(const BackwardParams& params) : Base(params.forward), b(params) {}

  FOVEA_DEVICE void run() {
    Base::template for_each_chunk<false>([&](const Chunk& chunk) { load(chunk); },
                                         [&](const Chunk& chunk) { take(chunk); });
    store_state();
    Base::pad_keys(b.dvalue, p.spec.gradient_dtype, p.spec.dvalue_stride);
  }

 private:
  FOVEA_DEVICE void load(const Chunk& chunk) const {
    Base::load_queries(chunk);
    Base::load_query_rows(b.dout, p.spec.out_dtype, p.spec.dout_stride, chunk,
                          Base::columns_at(p.chunk.query_columns),
                          [&](uint32_t token, int32_t head) {
                            return dout_factor(b, Base::query_row(token, head));
                          },
                          Times());
    if (!chunk.last) return;
    Base::load_keys_and_decays(chunk);
    if (!Base::has_delta()) return;
    Base::load_kept_rows(b.errors, p.value_head_dim, chunk, Base::columns_at(p.chunk.key_columns),
                         [](uint32_t) { return 0.0f; }, Unchanged());
  }

  FOVEA_DEVICE void take(const Chunk& chunk) {
    FOVEA_NO_UNROLL
    for (int32_t t = chunk.count - 1; t >= 0; --t) {
      const uint32_t token = chunk.from + t;
      if (tokens.has_query(token)) {
        FOVEA_NO_UNROLL
        for (int32_t h = 0; h < chunk.heads; ++h) take_query(chunk.row_of(t, h));
      }
      if (chunk.last && tokens.has_key(token)) take_key(token, t);
    }
  }

  FOVEA_DEVICE void take_query(int32_t row) {
    float query[kRows], dout[kColumns];
    State<Panel>::load_rows(Base::row(p.chunk.query_rows, row), query);
    Base::load_columns(p.chunk.query_columns, row, dout);
    state.update(query, dout);
  }

  FOVEA_DEVICE void take_key(uint32_t token, int32_t t) {
    float key[kRows];
    State<Panel>::load_rows(Base::row(p.chunk.key_rows, t), key);
    float gradient = state.read(key);
    if (Base::has_delta()) gradient = take_back(token, t, key, gradient);
    if (Base::owns()) {
      store_number(b.dvalue, p.spec.gradient_dtype,
                   Base::key_offset(p.spec.dvalue_stride, token) + Base::own_column(), gradient,
                   p.spec.accumulate);
    }
    Base::decay(t);
  }

  // The gradient of u becomes that of the value, and what the state held for the key takes its own part.
  FOVEA_DEVICE float take_back(uint32_t token, int32_t t, const float (&key)[kRows], float du) {
    const float step = Base::number(p.chunk.betas, t) * du;
    float product = 0;
    if (Base::owns()) {
      const uint32_t at = Base::own_of(p.chunk.key_columns, t);
      product = du * load_float(at);
      store_float(at, -step);
      tile::store_global(b.steps + Base::key_row(token) * p.value_head_dim + Base::own_column(),
                         step);
    }
    if (p.spec.has_dbeta) {
      store_part(b.beta_parts, b.beta_blocks, Base::key_row(token), Base::panel(), product);
    }
    tile::sync_warp();
    float taken[kColumns];
    Base::load_columns(p.chunk.key_columns, t, taken);
    state.update(key, taken);
    return step;
  }

  FOVEA_DEVICE void store_state() {
    if (!p.spec.has_dinitial_state) return;
    float* const to = b.dinitial_state + Base::state_offset(p.spec.dinitial_state_stride);
    state.each([&](float& x, int32_t row, int c) {
      if (!Base::is_there(row, c)) return;
      store_number(to, FOVEA_FLOAT32, row * p.spec.dinitial_state_stride[2] + Base::column(c), x,
                   p.spec.accumulate);
    });
  }

  const BackwardParams& b;
};

template <int kPanel>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kMostThreads, 2)
void linear_backward_values(const BackwardParams b) {
  Values<PanelOf<kPanel>>(b).run();
}

}  // namespace

BackwardKernel* backward_values_kernel(int panel) {
  return with_panel(panel, []<int kPanel>(PanelOf<kPanel>*) -> BackwardKernel* {
    return linear_backward_values<kPanel>;
  });
}

}  // namespace fovea::linear::cuda
