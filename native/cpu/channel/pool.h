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

// Adds kRows rows of x and of dout * x, in one read of both: a sum is loaded and stored once for all. The next rows
// are fetched meanwhile: eight streams of a kilobyte are not foreseen, and from memory took 1.2 times as long.
template <int kRows, typename T, typename O>
[[gnu::noinline]] void add_products(const T* x, int64_t x_stride, const O* dout, int64_t dout_stride,
                                    int64_t channels, float* sums, float* products) {
  const auto add = [&](int64_t i, int64_t n, float8& sum, float8& product) {
    float8 rows[kRows];
#pragma GCC unroll 4
    for (int k = 0; k < kRows; ++k) {
      __builtin_prefetch(x + (k + kRows) * x_stride + i);
      __builtin_prefetch(dout + (k + kRows) * dout_stride + i);
      rows[k] = load_of(x + k * x_stride, i, n);
      product += rows[k] * load_of(dout + k * dout_stride, i, n);
    }
    if constexpr (kRows == 4) {
      sum += (rows[0] + rows[1]) + (rows[2] + rows[3]);
    } else {
      sum += rows[0];
    }
  };
  int64_t i = 0;
  for (; i + 8 <= channels; i += 8) {
    float8 sum = load8(sums + i), product = load8(products + i);
    add(i, 8, sum, product);
    store8(sums + i, sum);
    store8(products + i, product);
  }
  if (const int64_t n = channels - i; n > 0) {
    float8 sum = load_some(sums + i, n), product = load_some(products + i, n);
    add(i, n, sum, product);
    store_some(sums + i, sum, n);
    store_some(products + i, product, n);
  }
}

template <typename T, typename O>
void add_products(const T* x, int64_t x_stride, const O* dout, int64_t dout_stride, int64_t rows,
                  int64_t channels, float* sums, float* products) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    add_products<4>(x + r * x_stride, x_stride, dout + r * dout_stride, dout_stride, channels, sums,
                    products);
  }
  for (; r < rows; ++r) {
    add_products<1>(x + r * x_stride, x_stride, dout + r * dout_stride, dout_stride, channels, sums,
                    products);
  }
}

}  // namespace fovea::channel::cpu::FOVEA_TIER
