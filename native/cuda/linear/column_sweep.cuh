// Sweeps over states with the columns of keys and the rows of values, and one row more for the sum of
// weights where out is normalised: of the state itself, and of its gradient. All its columns of that row a
// thread has, and the first lane of a column adds it to what is read.
#pragma once

#include "cuda/linear/gradients.cuh"
#include "cuda/linear/sweep.cuh"

namespace fovea::linear::cuda {

template <typename Panel>
class ColumnSweep : protected Sweep<Panel> {
 protected:
  using Base = Sweep<Panel>;
  using Base::kColumns;
  using Base::kRows;
  using Base::p;
  using Base::state;

  FOVEA_DEVICE ColumnSweep(const BackwardParams& params)
      : Base(params.forward, params.forward.head_dim), b(params) {}

  FOVEA_DEVICE bool has_slopes() const { return p.spec.has_ddecay || p.spec.has_dkey_decay; }

  FOVEA_DEVICE void load_queries(const Chunk& chunk) const {
    Base::load_queries(chunk, Base::columns_at(p.chunk.query_columns));
    Base::load_query_rows(b.dout, p.spec.out_dtype, p.spec.dout_stride, chunk,
                          Base::rows_at(p.chunk.query_rows, p.value_head_dim),
                          [&](uint32_t token, int32_t head) {
                            return dout_factor(b, Base::query_row(token, head));
                          },
                          Times());
    if (!p.spec.normalised) return;
    const int32_t n = int32_t(tile::thread_index());
    const int32_t t = n / chunk.heads, head = chunk.head + n - t * chunk.heads;
    if (t >= chunk.count || !Base::tokens.has_query(chunk.from + t)) return;
    store_float(Base::shared + uint32_t(p.chunk.shares + 4 * n),
                -tile::load_global(b.shares + Base::query_row(chunk.from + t, head)));
  }

  FOVEA_DEVICE void load_keys(const Chunk& chunk) const {
    Base::load_keys(chunk, Base::columns_at(p.chunk.key_columns));
    Base::load_decays(chunk, Base::columns_at(p.chunk.decays));
    const Place to = Base::rows_at(p.chunk.key_rows, p.value_head_dim);
    if (!Base::has_delta()) {
      Base::load_key_rows(p.value, p.spec.dtype, p.spec.value_stride, chunk, to,
                          [](uint32_t) { return 0.0f; }, Unchanged());
      return;
    }
    Base::load_kept_rows(b.errors, p.value_head_dim, chunk, to,
                         [&](uint32_t token) { return Base::beta(token); }, Times());
    Base::load_kept_rows(b.steps, p.value_head_dim, chunk,
                         Base::rows_at(p.chunk.step_rows, p.value_head_dim),
                         [](uint32_t) { return 0.0f; }, Unchanged());
  }

  FOVEA_DEVICE void decay(int32_t t) {
    if (p.spec.key_decay_dtype != 0) {
      float a[kColumns];
      Base::load_columns(p.chunk.decays, t, a);
      state.scale_columns(a);
      FOVEA_UNROLL
      for (int c = 0; c < kColumns; ++c) weights[c] *= a[c];
    } else if (Base::has_decay()) {
      const float a = Base::number(p.chunk.decay_numbers, t);
      state.scale(a);
      FOVEA_UNROLL
      for (int c = 0; c < kColumns; ++c) weights[c] *= a;
    }
  }

  // Row n of one part of a chunk times row n of another; `weight` is the element of the row of weights.
  FOVEA_DEVICE void update(int32_t rows, int32_t columns, int32_t n, float weight) {
    float x[kRows], y[kColumns];
    State<Panel>::load_rows(Base::row(rows, n), x);
    Base::load_columns(columns, n, y);
    state.update(x, y);
    if (!p.spec.normalised) return;
    FOVEA_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      weights[c] = tile::fused_multiply_add(weight, y[c], weights[c]);
    }
  }
  FOVEA_DEVICE float read(int32_t rows, int32_t n, float weight) const {
    float w[kRows];
    State<Panel>::load_rows(Base::row(rows, n), w);
    if (!p.spec.normalised) return state.read(w);
    float sums[kColumns];
    FOVEA_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      sums[c] = lane() % Panel::kLanes == 0 ? weight * weights[c] : 0.0f;
    }
    return state.read(w, sums);
  }

  // The element of a key, and of a query, in the row of weights.
  FOVEA_DEVICE float key_weight() const { return p.spec.normalised ? 1.0f : 0.0f; }
  FOVEA_DEVICE float query_weight(int32_t n) const {
    return p.spec.normalised ? Base::number(p.chunk.shares, n) : 0.0f;
  }

  // An element of a row of the workspace, of the thread's own column.
  FOVEA_DEVICE int64_t kept_at(uint32_t token) const {
    return Base::key_row(token) * p.head_dim + Base::own_column();
  }

  const BackwardParams& b;
  float weights[kColumns] = {};
};

}  // namespace fovea::linear::cuda
