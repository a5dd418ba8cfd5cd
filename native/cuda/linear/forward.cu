// The forward pass: a block has columns of the values of a key head, from the first token to the last. For
// the backward pass with the delta rule also what the state lacked of each value.

#include "cuda/linear/row_sweep.cuh"

namespace fovea::linear::cuda {
namespace {

template <typename Panel>
class Forward : RowSweep<Panel> {
  using Base = RowSweep<Panel>;
  using Base::kColumns;
  using Base::kRows;
  using Base::p;
  using Base::state;
  using Base::tokens;

 public:
  FOVEA_DEVICE Forward(const ForwardParams& params) : Base(params, !params.errors_only) {}

  FOVEA_DEVICE void run() {
    load_states();
    Base::template for_each_chunk<true>([&](const Chunk& chunk) { load(chunk); },
                                        [&](const Chunk& chunk) { take(chunk); });
    if (p.errors_only) return;
    store_states();
    Base::pad_queries(p.out, p.spec.out_dtype, p.spec.out_stride);
  }

 private:
  FOVEA_DEVICE void load(const Chunk& chunk) const {
    Base::load_queries(chunk);
    if (!chunk.first) return;
    Base::load_keys_and_decays(chunk);
    Base::load_key_rows(p.value, p.spec.dtype, p.spec.value_stride, chunk,
                        Base::columns_at(p.chunk.key_columns), [](uint32_t) { return 0.0f; },
                        Unchanged());
  }

  FOVEA_DEVICE void take(const Chunk& chunk) {
    FOVEA_NO_UNROLL
    for (int32_t t = 0; t < chunk.count; ++t) {
      const uint32_t token = chunk.from + t;
      if (chunk.first && tokens.has_key(token)) take_key(token, t);
      if (!tokens.has_query(token)) continue;
      FOVEA_NO_UNROLL
      for (int32_t h = 0; h < chunk.heads; ++h) {
        take_query(token, chunk.head + h, chunk.row_of(t, h));
      }
    }
  }

  FOVEA_DEVICE void take_key(uint32_t token, int32_t t) {
    if (p.spec.normalised) Base::step_weights(t);
    Base::decay(t);
    float key[kRows], value[kColumns];
    State<Panel>::load_rows(Base::row(p.chunk.key_rows, t), key);
    if (Base::has_delta()) correct_value(token, t, key);
    Base::load_columns(p.chunk.key_columns, t, value);
    state.update(key, value);
  }

  // In place of a value beta times what the state does not hold of it.
  FOVEA_DEVICE void correct_value(uint32_t token, int32_t t, const float (&key)[kRows]) {
    const float held = state.read(key);
    if (Base::owns()) {
      const uint32_t at = Base::own_of(p.chunk.key_columns, t);
      const float error = load_float(at) - held;
      store_float(at, Base::number(p.chunk.betas, t) * error);
      if (p.errors_only) {
        tile::store_global(p.errors + Base::key_row(token) * p.value_head_dim + Base::own_column(),
                           error);
      }
    }
    tile::sync_warp();
  }

  FOVEA_DEVICE void take_query(uint32_t token, int32_t head, int32_t row) {
    const uint32_t at = Base::row(p.chunk.query_rows, row);
    const float factor = p.spec.normalised ? Base::weights.inverse(at) : p.spec.scale;
    float query[kRows];
    State<Panel>::load_rows(at, query);
    const float sum = state.read(query);
    if (!Base::owns()) return;
    store_number(p.out, p.spec.out_dtype,
                 Base::query_offset(p.spec.out_stride, token, head) + Base::own_column(),
                 sum * factor, false);
  }

  FOVEA_DEVICE void load_states() {
    Base::load_weights();
    if (!p.spec.has_initial_state) return;
    const float* const from = p.initial_state + Base::state_offset(p.spec.initial_state_stride);
    state.each([&](float& x, int32_t row, int c) {
      if (!Base::is_there(row, c)) return;
      x = tile::load_global(from + row * p.spec.initial_state_stride[2] + Base::column(c));
    });
  }

  FOVEA_DEVICE void store_states() {
    if (p.spec.has_final_state) {
      float* const to = p.final_state + Base::state_offset(p.spec.final_state_stride);
      state.each([&](float& x, int32_t row, int c) {
        if (!Base::is_there(row, c)) return;
        tile::store_global(to + row * p.spec.final_state_stride[2] + Base::column(c), x);
      });
    }
    if (p.spec.has_final_sum && Base::panel() == 0) {
      Base::weights.store(p.final_sum + Base::state_offset(p.spec.final_sum_stride), p.head_dim);
    }
  }
};

template <int kPanel>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kMostThreads, 2)
void linear_forward(const ForwardParams p) {
  Forward<PanelOf<kPanel>>(p).run();
}

}  // namespace

ForwardKernel* forward_kernel(int panel) {
  return with_panel(panel, []<int kPanel>(PanelOf<kPanel>*) -> ForwardKernel* {
    return linear_forward<kPanel>;
  });
}

}  // namespace fovea::linear::cuda
