// The forward pass of activation.
#pragma once

#include "cpu/activation/functions.h"
#include "cpu/activation/rows.h"

namespace fovea::activation::cpu::FOVEA_TIER {

class Forward {
 public:
  Forward(const backend::Run& run, const fovea_call& call)
      : Forward(run, call, *static_cast<const ForwardOperands*>(run.operands)) {}

  void run() {
    with_function(spec_.function, [&](auto function) {
      for (int64_t item = call_.begin; item < call_.end; ++item) {
        run_tile<decltype(function)>(cut_.tile(item));
      }
    });
    if (out_.streams) end_streams();
  }

 private:
  Forward(const backend::Run& run, const fovea_call& call, const ForwardOperands& operands)
      : spec_(spec_of(run.plan)),
        call_(call),
        needs_(spec_),
        cut_(spec_),
        x_(true, operands.x, spec_.dtype, spec_.x_stride),
        bias_(needs_.bias, operands.bias, FOVEA_FLOAT32, kShared),
        gate_(needs_.gate, operands.gate, spec_.dtype, spec_.gate_stride),
        residual_(needs_.residual, operands.residual, spec_.dtype, spec_.residual_stride),
        out_(true, operands.out, spec_.out_dtype, spec_.out_stride, cut_),
        dropout_(spec_, call, needs_.draws) {}

  // Where the elements of a strip are.
  struct Row {
    const char *x, *bias, *gate, *residual;
    char* out;
    const int32_t* kept;
  };

  template <typename F>
  void run_tile(const Tile& tile) {
    for_each_group(
        cut_, tile, dropout_.drops(),
        [&](const Strip& it, int slot) -> Row {
          return {x_.at(it),        bias_.at(it), gate_.at(it),
                  residual_.at(it), out_.at(it),  dropout_.draw(it, slot)};
        },
        [&](const Row* rows, int many, int64_t count) { run_rows<F>(rows, many, count); });
  }

  template <typename F>
  [[gnu::flatten]] void run_rows(const Row* rows, int many, int64_t count) const {
    for_each_step(count, [&](auto which, int64_t i) {
      for (int r = 0; r < many; ++r) step<F>(which, rows[r], i);
    });
  }

  template <typename F, typename Which>
  void step(Which which, const Row& row, int64_t i) const {
    constexpr int kCount = Which::kCount;
    vfloat y[kCount], more[kCount];
    load_all(which, row.x, x_.dtype, i, y);
    if (row.bias != nullptr) {
      load_all(which, row.bias, FOVEA_FLOAT32, i, more);
      make_each(y, [&](int k) { return y[k] + more[k]; });
    }
    make_each(y, [&](int k) { return F::value(y[k]); });
    if (row.gate != nullptr) {
      load_all(which, row.gate, gate_.dtype, i, more);
      make_each(y, [&](int k) { return y[k] * more[k]; });
    }
    if (row.kept != nullptr) {
      make_each(y, [&](int k) { return keep(y[k] * dropout_.scale(), row.kept + i + k * kLanes); });
    }
    if (row.residual != nullptr) {
      load_all(which, row.residual, residual_.dtype, i, more);
      make_each(y, [&](int k) { return y[k] + more[k]; });
    }
    store_all(which, row.out, out_, i, y);
  }

  const Spec& spec_;
  const fovea_call& call_;
  const Needs needs_;
  const Cut cut_;
  const Source x_, bias_, gate_, residual_;
  const Target out_;
  Dropout dropout_;
};

void run_forward(const backend::Run& run, const fovea_call& call) { Forward(run, call).run(); }

}  // namespace fovea::activation::cpu::FOVEA_TIER
