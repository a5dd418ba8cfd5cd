// The backward pass of activation: what each element has of gradients, and sums of columns.
#pragma once

#include "cpu/activation/functions.h"
#include "cpu/activation/rows.h"

namespace fovea::activation::cpu::FOVEA_TIER {

class Backward {
 public:
  Backward(const backend::Run& run, const fovea_call& call)
      : Backward(run, call, *static_cast<const BackwardOperands*>(run.operands)) {}

  void run() {
    if (call_.phase == kSumPhase) {
      for (int64_t item = call_.begin; item < call_.end; ++item) add_parts(item * kSumColumns);
      return;
    }
    with_function(spec_.function, [&](auto function) {
      for (int64_t item = call_.begin; item < call_.end; ++item) {
        run_tile<decltype(function)>(cut_.tile(item));
      }
    });
    if (dx_.streams || dgate_.streams || dresidual_.streams) end_streams();
  }

 private:
  Backward(const backend::Run& run, const fovea_call& call, const BackwardOperands& operands)
      : spec_(spec_of(run.plan)),
        call_(call),
        needs_(spec_),
        cut_(spec_),
        x_(needs_.x, operands.x, spec_.dtype, spec_.x_stride),
        bias_(needs_.bias, operands.bias, FOVEA_FLOAT32, kShared),
        gate_(needs_.gate, operands.gate, spec_.dtype, spec_.gate_stride),
        dout_(true, operands.dout, spec_.out_dtype, spec_.dout_stride),
        dx_(spec_.has_dx, operands.dx, spec_.gradient_dtype, spec_.dx_stride, cut_),
        dgate_(spec_.has_dgate, operands.dgate, spec_.gradient_dtype, spec_.dgate_stride, cut_),
        dresidual_(spec_.has_dresidual, operands.dresidual, spec_.gradient_dtype,
                   spec_.dresidual_stride, cut_),
        dbias_(spec_.has_dbias ? operands.dbias : nullptr),
        parts_(static_cast<float*>(run.workspace)),
        dropout_(spec_, call, needs_.draws) {}

  // Where the elements of a strip are; sums: of this tile's rows.
  struct Row {
    const char *x, *bias, *gate, *dout;
    char *dx, *dgate, *dresidual;
    float* sums;
    const int32_t* kept;
  };

  template <typename F>
  void run_tile(const Tile& tile) {
    float* const sums = dbias_ == nullptr ? nullptr : parts_ + tile.row_tile * cut_.sum_stride;
    if (sums != nullptr) std::fill(sums + tile.column, sums + tile.last, 0.0f);
    for_each_group(
        cut_, tile, dropout_.drops(),
        [&](const Strip& it, int slot) -> Row {
          return {x_.at(it),
                  bias_.at(it),
                  gate_.at(it),
                  dout_.at(it),
                  dx_.at(it),
                  dgate_.at(it),
                  dresidual_.at(it),
                  sums == nullptr ? nullptr : sums + it.column,
                  dropout_.draw(it, slot)};
        },
        [&](const Row* rows, int many, int64_t count) {
          if (needs_.value) {
            run_rows<F, true>(rows, many, count);
          } else {
            run_rows<F, false>(rows, many, count);
          }
        });
  }

  template <typename F, bool kValue>
  [[gnu::flatten]] void run_rows(const Row* rows, int many, int64_t count) const {
    for_each_step(count, [&](auto which, int64_t i) {
      for (int r = 0; r < many; ++r) step<F, kValue>(which, rows[r], i);
    });
  }

  template <typename F, bool kValue, typename Which>
  void step(Which which, const Row& row, int64_t i) const {
    constexpr int kCount = Which::kCount;
    vfloat g[kCount], z[kCount], more[kCount];
    load_all(which, row.dout, dout_.dtype, i, g);
    if (row.dresidual != nullptr) store_all(which, row.dresidual, dresidual_, i, g);
    if (!needs_.slope && !kValue) return;
    if (row.x != nullptr) {
      load_all(which, row.x, x_.dtype, i, z);
      if (row.bias != nullptr) {
        load_all(which, row.bias, FOVEA_FLOAT32, i, more);
        make_each(z, [&](int k) { return z[k] + more[k]; });
      }
    }
    if (row.kept != nullptr) {
      make_each(g, [&](int k) { return g[k] * dropout_.scale(); });
    }
    // Last, so that gradients of what was dropped are 0 whatever it was.
    const auto keep_all = [&](vfloat(&v)[kCount]) {
      if (row.kept == nullptr) return;
      make_each(v, [&](int k) { return keep(v[k], row.kept + i + k * kLanes); });
    };
    if constexpr (kValue) {
      make_each(more, [&](int k) { return g[k] * F::value(z[k]); });
      keep_all(more);
      store_all(which, row.dgate, dgate_, i, more);
      if (!needs_.slope) return;
    }
    if (row.gate != nullptr) {
      load_all(which, row.gate, gate_.dtype, i, more);
      make_each(g, [&](int k) { return g[k] * more[k]; });
    }
    make_each(g, [&](int k) { return g[k] * F::slope(z[k]); });
    keep_all(g);
    if (row.dx != nullptr) store_all(which, row.dx, dx_, i, g);
    if (row.sums != nullptr) add(which, row.sums + i, g);
  }

  template <int kCount>
  static void add(Whole<kCount>, float* sums, const vfloat (&v)[kCount]) {
    for (int k = 0; k < kCount; ++k) {
      store_vector(sums + k * kLanes, load_vector(sums + k * kLanes) + v[k]);
    }
  }
  static void add(First first, float* sums, const vfloat (&v)[1]) {
    for (int64_t i = 0; i < first.elements; ++i) sums[i] += v[0][i];
  }

  // The sums of all tiles of rows, in double, because they are many.
  void add_parts(int64_t column) const {
    const int64_t count = std::min(kSumColumns, spec_.width - column);
    double sums[kSumColumns] = {};
    for (int64_t tile = 0; tile < cut_.row_tiles; ++tile) {
      const float* const part = parts_ + tile * cut_.sum_stride + column;
      for (int64_t i = 0; i < count; ++i) sums[i] += double(part[i]);
    }
    for (int64_t i = 0; i < count; ++i) {
      float& to = dbias_[column + i];
      to = float(spec_.accumulate ? double(to) + sums[i] : sums[i]);
    }
  }

  const Spec& spec_;
  const fovea_call& call_;
  const Needs needs_;
  const Cut cut_;
  const Source x_, bias_, gate_, dout_;
  const Target dx_, dgate_, dresidual_;
  float *const dbias_, *const parts_;
  Dropout dropout_;
};

void run_backward(const backend::Run& run, const fovea_call& call) { Backward(run, call).run(); }

}  // namespace fovea::activation::cpu::FOVEA_TIER
