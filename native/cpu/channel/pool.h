// The sums over pixels of a part of an image: of x, and backward of dout * x.
#pragma once

#include "cpu/image/rows.h"

namespace fovea::channel::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// Adds up x and dout * x of a row, each in two times eight parts.
template <typename T, typename O>
[[gnu::noinline]] void sum_products(const T* x, const O* dout, int64_t count, float& sum,
                                    float& product) {
  float8 sums[2] = {}, products[2] = {};
  const auto add = [&](int k, float8 v, float8 gradient) {
    sums[k] += v;
    products[k] += v * gradient;
  };
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    add(0, load8(x + i), load8(dout + i));
    add(1, load8(x + i + 8), load8(dout + i + 8));
  }
  if (i + 8 <= count) {
    add(0, load8(x + i), load8(dout + i));
    i += 8;
  }
  if (i < count) add(1, load_last(x, count), load_last(dout, count));
  sum = sum_of(sums[0] + sums[1]);
  product = sum_of(products[0] + products[1]);
}

// Adds rows of channels, four at a time so that a sum is loaded and stored for each four.
template <typename T>
[[gnu::noinline]] void add_rows(const T* x, int64_t stride, int64_t rows, int64_t channels,
                                float* sums) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    const T* const row = x + r * stride;
    update_row(sums, channels, [&](int64_t i, int64_t n) {
      const float8 low = load_of(row, i, n) + load_of(row + stride, i, n);
      return load_of(sums, i, n) +
             (low + (load_of(row + 2 * stride, i, n) + load_of(row + 3 * stride, i, n)));
    });
  }
  for (; r < rows; ++r) {
    update_row(sums, channels, [&](int64_t i, int64_t n) {
      return load_of(sums, i, n) + load_of(x + r * stride, i, n);
    });
  }
}

// The same of x and dout * x, in one read of both.
template <typename T, typename O>
[[gnu::noinline]] void add_products(const T* x, int64_t x_stride, const O* dout,
                                    int64_t dout_stride, int64_t rows, int64_t channels,
                                    float* sums, float* products) {
  constexpr int64_t kRows = 4;
  for (int64_t r = 0; r < rows; r += kRows) {
    const int64_t here = std::min(kRows, rows - r);
    const T* const row = x + r * x_stride;
    const O* const other = dout + r * dout_stride;
    // Products first, sums of the same elements while these are in L1.
    update_row(products, channels, [&](int64_t i, int64_t n) {
      float8 v = load_of(products, i, n);
      for (int64_t k = 0; k < here; ++k) {
        v += load_of(row + k * x_stride, i, n) * load_of(other + k * dout_stride, i, n);
      }
      return v;
    });
    if (here == kRows) {
      add_rows(row, x_stride, kRows, channels, sums);
    } else {
      for (int64_t k = 0; k < here; ++k) add_rows(row + k * x_stride, x_stride, 1, channels, sums);
    }
  }
}

}  // namespace fovea::channel::cpu::FOVEA_TIER
