// Sweeps over states with the rows of keys: of the state itself, and of its gradient.
#pragma once

#include "cuda/linear/sweep.cuh"

namespace fovea::linear::cuda {

// z, the sum of features of keys, dealt to all lanes of a warp, element by element.
template <typename Panel>
class WeightSum {
 public:
  FOVEA_DEVICE void load(const float* from, int32_t width) {
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) {
      if (index(i) < width) z_[i] = tile::load_global(from + index(i));
    }
  }
  FOVEA_DEVICE void store(float* to, int32_t width) const {
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) {
      if (index(i) < width) tile::store_global(to + index(i), z_[i]);
    }
  }
  FOVEA_DEVICE void scale(float a) {
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) z_[i] *= a;
  }
  // By a row of shared memory, as below.
  FOVEA_DEVICE void scale_by(uint32_t row) {
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) z_[i] *= element(row, i);
  }
  FOVEA_DEVICE void add(uint32_t key) {
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) z_[i] += element(key, i);
  }
  // 1 / <query, z>, or 0 where that is 0.
  FOVEA_DEVICE float inverse(uint32_t query) const {
    float sum = 0;
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) {
      sum = tile::fused_multiply_add(element(query, i), z_[i], sum);
    }
    sum = tile::warp_sum(sum);
    return sum == 0 ? 0.0f : 1 / sum;
  }

 private:
  static constexpr int kEach = Panel::kCapacity / tile::kWarp;

  static FOVEA_DEVICE int32_t index(int i) { return i * tile::kWarp + lane(); }
  static FOVEA_DEVICE float element(uint32_t row, int i) {
    return load_float(row + 4 * uint32_t(index(i)));
  }

  float z_[kEach] = {};
};

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

  FOVEA_DEVICE void decay(int32_t t) {
    if (p.spec.key_decay_dtype != 0) {
      float a[kRows];
      State<Panel>::load_rows(Base::row(p.chunk.decays, t), a);
      state.scale_rows(a);
    } else if (Base::has_decay()) {
      state.scale(Base::number(p.chunk.decay_numbers, t));
    }
  }

  // The sum of weights decays as the state does, and takes the key of the token.
  FOVEA_DEVICE void step_weights(int32_t t) {
    if (p.spec.key_decay_dtype != 0) {
      weights.scale_by(Base::row(p.chunk.decays, t));
    } else if (Base::has_decay()) {
      weights.scale(Base::number(p.chunk.decay_numbers, t));
    }
    weights.add(Base::row(p.chunk.key_rows, t));
  }
  FOVEA_DEVICE void load_weights() {
    if (!p.spec.has_initial_sum) return;
    weights.load(p.initial_sum + Base::state_offset(p.spec.initial_sum_stride), p.head_dim);
  }

  // Columns of values of a state [D, Dv].
  FOVEA_DEVICE bool is_there(int32_t row, int c) const {
    return row < p.head_dim && Base::column(c) < Base::columns;
  }

  WeightSum<Panel> weights;
};

}  // namespace fovea::linear::cuda
