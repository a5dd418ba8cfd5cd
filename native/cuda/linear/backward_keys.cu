// dkey, dkey_decay, dinitial_sum and what ddecay gets of each panel: a block has columns of the keys of a key
// head, from the last token to the first.
//
// The gradient of key_decay needs neither state nor gradient of a state: with c = phi(query) dphi(query),
// M the gradient of the state and u what a key adds to it, N_j = S_j M_j, summed over the columns of
// values, is what the decays of j and all before give to, and
//
//   N_j = dkey_decay_(j+1) + c_j;  dkey_decay_j = N_j - phi(key_j) (M_j u_j + (a_j S_(j-1)) du_j)
//
// where the last term, with du the gradient of u times beta, is there with the delta rule alone.

#include "cuda/linear/column_sweep.cuh"

namespace fovea::linear::cuda {
namespace {

template <typename Panel>
class Keys : ColumnSweep<Panel> {
  using Base = ColumnSweep<Panel>;
  using Base::b;
  using Base::kColumns;
  using Base::kRows;
  using Base::p;
  using Base::state;
  using Base::tokens;

 public:
  FOVEA_DEVICE Keys(const BackwardParams& params) : Base(params) {}

  FOVEA_DEVICE void run() {
    Base::template for_each_chunk<false>(
        [&](const Chunk& chunk) {
          Base::load_queries(chunk);
          if (chunk.last) Base::load_keys(chunk);
        },
        [&](const Chunk& chunk) { take(chunk); });
    store_sum();
    Base::pad_keys(b.dkey, p.spec.gradient_dtype, p.spec.dkey_stride);
    if (!p.spec.has_dkey_decay) return;
    Base::pad_keys(b.dkey_decay, FOVEA_FLOAT32, p.spec.dkey_decay_stride);
  }

 private:
  FOVEA_DEVICE void take(const Chunk& chunk) {
    FOVEA_NO_UNROLL
    for (int32_t t = chunk.count - 1; t >= 0; --t) {
      const uint32_t token = chunk.from + t;
      if (tokens.has_query(token)) {
        FOVEA_NO_UNROLL
        for (int32_t h = 0; h < chunk.heads; ++h) {
          const int32_t row = chunk.row_of(t, h);
          Base::update(p.chunk.query_rows, p.chunk.query_columns, row, Base::query_weight(row));
        }
      }
      if (chunk.last && tokens.has_key(token)) take_key(token, t);
    }
  }

  FOVEA_DEVICE void take_key(uint32_t token, int32_t t) {
    // On their way while the state is read.
    float correction = 0, slope = 0;
    if (Base::owns()) {
      if (Base::has_delta()) correction = tile::load_global(b.corrections + Base::kept_at(token));
      if (Base::has_slopes()) slope = tile::load_global(b.slopes + Base::kept_at(token));
    }
    const float gradient = Base::read(p.chunk.key_rows, t, Base::key_weight());
    if (Base::has_delta()) take_back(t);
    Base::decay(t);
    float key = 0;
    if (Base::owns()) {
      key = load_float(Base::own_of(p.chunk.key_columns, t));
      store_number(b.dkey, p.spec.gradient_dtype,
                   Base::key_offset(p.spec.dkey_stride, token) + Base::own_column(),
                   Base::features().slope(key, gradient - correction), p.spec.accumulate);
    }
    if (!Base::has_slopes()) return;
    decays_ = (decays_ + slope) - key * (gradient + correction);
    if (p.spec.has_ddecay) {
      store_part(b.decay_parts, b.decay_blocks, Base::key_row(token), Base::panel(),
                 Base::owns() ? decays_ : 0.0f);
    }
    if (p.spec.has_dkey_decay && Base::owns()) {
      store_number(b.dkey_decay, FOVEA_FLOAT32,
                   Base::key_offset(p.spec.dkey_decay_stride, token) + Base::own_column(), decays_,
                   p.spec.accumulate);
    }
  }

  // What the state held for the key takes its part of the gradient of u.
  FOVEA_DEVICE void take_back(int32_t t) {
    float step[kRows], key[kColumns];
    State<Panel>::load_rows(Base::row(p.chunk.step_rows, t), step);
    Base::load_columns(p.chunk.key_columns, t, key);
    FOVEA_UNROLL
    for (int c = 0; c < kColumns; ++c) key[c] = -key[c];
    state.update(step, key);
  }

  FOVEA_DEVICE void store_sum() const {
    if (!p.spec.has_dinitial_sum || lane() % Panel::kLanes != 0) return;
    float* const to = b.dinitial_sum + Base::state_offset(p.spec.dinitial_sum_stride);
    FOVEA_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      if (Base::column(c) >= Base::columns) continue;
      store_number(to, FOVEA_FLOAT32, Base::column(c), Base::weights[c], p.spec.accumulate);
    }
  }

  float decays_ = 0;  // of the thread's own column: dkey_decay of the token behind
};

template <int kPanel>
FOVEA_KERNEL FOVEA_LAUNCH_BOUNDS(kMostThreads, 2)
void linear_backward_keys(const BackwardParams b) {
  Keys<PanelOf<kPanel>>(b).run();
}

}  // namespace

BackwardKernel* backward_keys_kernel(int panel) {
  return with_panel(panel, []<int kPanel>(PanelOf<kPanel>*) -> BackwardKernel* {
    return linear_backward_keys<kPanel>;
  });
}

}  // namespace fovea::linear::cuda
