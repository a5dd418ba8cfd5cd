// Sweeps over states with the rows of keys: of the state itself, and of its gradient.
#pragma once

#include "cuda/linear/sweep.cuh"

namespace fovea::linear::cuda {

template <typename Panel>
class RowSweep : protected Sweep<Panel> {
 protected:
  using Base = Sweep<Panel>;
  using Base::kRows;
  using Base::p;
  using Base::state;

  FOVEA_DEVICE RowSweep(const ForwardParams& params, bool has_queries = true)
      : Base(params, params.value_head_dim, has_queries) {}

  FOVEA_DEVICE void load_keys_and_decays(const Chunk& chunk) const {
    Base::load_keys(chunk, Base::rows_at(p.chunk.key_rows, p.head_dim));
    Base::load_decays(chunk, Base::rows_at(p.chunk.decays, p.head_dim));
  }
  FOVEA_DEVICE void load_queries(const Chunk& chunk) const {
    Base::load_queries(chunk, Base::rows_at(p.chunk.query_rows, p.head_dim));
  }

  // The decays of a token, of the thread's rows.
  FOVEA_DEVICE void load_row_decays(int32_t t, float (&a)[kRows]) const {
    State<Panel>::load_rows(Base::row(p.chunk.decays, t), a);
  }
  FOVEA_DEVICE void decay(int32_t t) {
    if (p.spec.key_decay_dtype != 0) {
      float a[kRows];
      load_row_decays(t, a);
      state.scale_rows(a);
    } else if (Base::has_decay()) {
      state.scale(Base::number(p.chunk.decay_numbers, t));
    }
  }

  // Columns of values of a state [D, Dv].
  FOVEA_DEVICE bool is_there(int32_t row, int c) const {
    return row < p.head_dim && Base::column(c) < Base::columns;
  }
};

// z, the sum of features of keys, of the thread's rows.
template <typename Panel>
class WeightSum {
 public:
  static constexpr int kRows = Panel::kRows;

  // From initial_sum, or zero.
  FOVEA_DEVICE void load(const float* from, int32_t width) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const int32_t row = State<Panel>::row_of(r);
      z_[r] = from != nullptr && row < width ? tile::load_global(from + row) : 0.0f;
    }
  }
  FOVEA_DEVICE void store(float* to, int32_t width) const {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const int32_t row = State<Panel>::row_of(r);
      if (row < width) tile::store_global(to + row, z_[r]);
    }
  }
  FOVEA_DEVICE void scale(float a) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) z_[r] *= a;
  }
  FOVEA_DEVICE void scale(const float (&a)[kRows]) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) z_[r] *= a[r];
  }
  FOVEA_DEVICE void add(const float (&key)[kRows]) {
    FOVEA_UNROLL
    for (int r = 0; r < kRows; ++r) z_[r] += key[r];
  }
  // 1 / <query, z>, or 0 where that is 0.
  FOVEA_DEVICE float inverse(const float (&query)[kRows]) const {
    const float sum = sum_of_rows<Panel>(query, z_);
    return sum == 0 ? 0.0f : 1 / sum;
  }

 private:
  float z_[kRows] = {};
};

}  // namespace fovea::linear::cuda
