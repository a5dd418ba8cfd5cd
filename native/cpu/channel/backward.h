// The backward pass of channel attention: gradients through gates and layers, and sums over images.
#pragma once

#include "cpu/channel/images.h"

namespace fovea::channel::cpu::FOVEA_TIER {

class Backward : public Images<Backward> {
 public:
  Backward(const backend::Run& run, const fovea_call& call)
      : Images(run, call, true), operands_(*static_cast<const BackwardOperands*>(run.operands)) {}

  void run() {
    if (call_.phase != kWeightPhase) return run_images();
    const bool first = spec_.has_dweight1 || spec_.has_dbias1;
    const int64_t blocks = first ? blocks_of(spec_.hidden) : 0;
    for (int64_t item = call_.begin; item < call_.end; ++item) {
      if (item < blocks) {
        weights(item, spec_.hidden, spec_.channels, memory_.dz1, memory_.mean,
                spec_.has_dweight1 ? operands_.dweight1 : nullptr, spec_.dweight1_stride[0],
                spec_.has_dbias1 ? operands_.dbias1 : nullptr);
      } else {
        weights(item - blocks, spec_.channels, spec_.hidden, memory_.dz2, memory_.hidden,
                spec_.has_dweight2 ? operands_.dweight2 : nullptr, spec_.dweight2_stride[0],
                spec_.has_dbias2 ? operands_.dbias2 : nullptr);
      }
    }
  }

  void pool(const Part& part) const {
    float* const sums = memory_of(part.image, memory_.sums).at + part.chunk * spec_.channels;
    float* const products = memory_of(part.image, memory_.products).at + part.chunk * spec_.channels;
    std::fill_n(sums + part.channel, part.channels, 0.0f);
    std::fill_n(products + part.channel, part.channels, 0.0f);
    with_type(spec_.dtype, [&](auto x_zero) {
      with_type(spec_.out_dtype, [&](auto dout_zero) {
        for_each_piece(part, static_cast<const decltype(x_zero)*>(operands_.x), parts_.x,
                       static_cast<const decltype(dout_zero)*>(operands_.dout), parts_.out,
                       [&](const auto* x, const auto* dout, int64_t count, int64_t c) {
                         if (parts_.grid.channels_last) {
                           return add_products(x, parts_.x.column, dout, parts_.out.column, count,
                                               spec_.channels, sums, products);
                         }
                         read_rows(x, parts_.x.column, dout, parts_.out.column, count,
                                   [&](int64_t, int64_t n, const auto* a, const auto* b) {
                                     float sum, product;
                                     sum_products(a, b, n, sum, product);
                                     sums[c] += sum;
                                     products[c] += product;
                                   });
                       });
      });
    });
  }

  void gates(int64_t image, int64_t count) const {
    run_layers(image, count, operands_);
    const Vectors dz1 = kept_of(image, memory_.dz1), dz2 = kept_of(image, memory_.dz2);
    const Vectors hidden = kept_of(image, memory_.hidden), gate = memory_of(image, memory_.gate);
    const Vectors add = memory_of(image, memory_.add);
    for (int64_t i = 0; i < count; ++i) {
      add_chunks(memory_of(image + i, memory_.products).at, 1, dz2.of(i));
      for (int64_t c = 0; c < spec_.channels; ++c) dz2.of(i)[c] *= gate.of(i)[c] * (1 - gate.of(i)[c]);
    }
    multiply_transposed(operands_.weight2, spec_.weight2_stride[0], spec_.channels, spec_.hidden, count,
                        dz2, dz1);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t r = 0; r < spec_.hidden; ++r) {
        if (hidden.of(i)[r] == 0) dz1.of(i)[r] = 0;
      }
    }
    multiply_transposed(operands_.weight1, spec_.weight1_stride[0], spec_.hidden, spec_.channels, count,
                        dz1, add);
    const float share = float(1.0 / double(parts_.grid.pixels()));
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t c = 0; c < spec_.channels; ++c) add.of(i)[c] *= share;
    }
  }

  void scale(const Part& part) const {
    scale_part<true>(part, operands_.dout, spec_.out_dtype, parts_.out, operands_.dx, spec_.gradient_dtype,
                     parts_.gradient);
  }

 private:
  // Rows of the gradient of a weight, sum over images of dz in^T, and of its bias; in double, because of
  // the many terms.
  void weights(int64_t block, int64_t rows, int64_t columns, int64_t dz, int64_t in, float* dweight,
               int64_t stride, float* dbias) const {
    const auto total = [&](float& to, double sum) {
      to = float(spec_.accumulate ? double(to) + sum : sum);
    };
    for (int64_t r = block * kWeightRows; r < std::min((block + 1) * kWeightRows, rows); ++r) {
      if (dbias != nullptr) {
        double sum = 0;
        for (int64_t n = 0; n < spec_.batch; ++n) sum += double(kept_of(n, dz).at[r]);
        total(dbias[r], sum);
      }
      // A few columns at a time, so that the rows that are read lie in a line.
      constexpr int64_t kColumns = 64;
      for (int64_t c = 0; c < columns && dweight != nullptr; c += kColumns) {
        const int64_t count = std::min(kColumns, columns - c);
        double sums[kColumns] = {};
        for (int64_t n = 0; n < spec_.batch; ++n) {
          const double factor = double(kept_of(n, dz).at[r]);
          const float* const from = kept_of(n, in).at + c;
          for (int64_t k = 0; k < count; ++k) sums[k] += factor * double(from[k]);
        }
        for (int64_t k = 0; k < count; ++k) total(dweight[r * stride + c + k], sums[k]);
      }
    }
  }

  const BackwardOperands& operands_;
};

void run_backward(const backend::Run& run, const fovea_call& call) { Backward(run, call).run(); }

}  // namespace fovea::channel::cpu::FOVEA_TIER
