// The two layers between means and gates, and their transposes: a row of a weight is read once for several
// images.
#pragma once

#include "cpu/image/rows.h"

namespace fovea::channel::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

// Rows of images, `stride` floats apart.
struct Vectors {
  float* at;
  int64_t stride;

  float* of(int64_t image) const { return at + image * stride; }
};

// Of a weight [rows, columns] four neighbouring rows, or fewer.
struct WeightRows {
  const float* row[4];

  WeightRows(const float* weight, int64_t stride, int64_t first, int64_t rows) {
    for (int64_t k = 0; k < 4; ++k) row[k] = weight + std::min(first + k, rows - 1) * stride;
  }
};

// <row, in> of four rows and of one image or two, each in eight parts.
template <int kImages>
[[gnu::noinline]] void multiply4(const WeightRows& weight, const float* const (&in)[kImages],
                                 int64_t count, float (&out)[kImages][4]) {
  float8 sum[kImages][4] = {};
  const auto step = [&](int64_t i, int64_t n) {
    float8 v[kImages];
#pragma GCC unroll 2
    for (int m = 0; m < kImages; ++m) v[m] = load_of(in[m], i, n);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const float8 w = load_of(weight.row[k], i, n);
#pragma GCC unroll 2
      for (int m = 0; m < kImages; ++m) sum[m][k] += w * v[m];
    }
  };
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) step(i, 8);
  if (i < count) step(i, count - i);
  for (int m = 0; m < kImages; ++m) {
    for (int k = 0; k < 4; ++k) out[m][k] = sum_of(sum[m][k]);
  }
}

// out = weight in + bias, for each image; bias may be null.
inline void multiply(const float* weight, int64_t stride, const float* bias, int64_t rows,
                     int64_t columns, int64_t images, Vectors in, Vectors out) {
  for (int64_t r = 0; r < rows; r += 4) {
    const WeightRows four(weight, stride, r, rows);
    const auto write = [&](int64_t image, const float (&product)[4]) {
      for (int64_t k = r; k < std::min(r + 4, rows); ++k) {
        out.of(image)[k] = bias == nullptr ? product[k - r] : product[k - r] + bias[k];
      }
    };
    int64_t i = 0;
    for (; i + 2 <= images; i += 2) {
      float product[2][4];
      multiply4<2>(four, {in.of(i), in.of(i + 1)}, columns, product);
      write(i, product[0]);
      write(i + 1, product[1]);
    }
    if (i < images) {
      float product[1][4];
      multiply4<1>(four, {in.of(i)}, columns, product);
      write(i, product[0]);
    }
  }
}

// out += what four rows times their elements of `in` give.
[[gnu::noinline]] inline void add4(const WeightRows& weight, const float (&in)[4], int64_t count,
                                   float* out) {
  const auto sum = [&](int64_t i, int64_t n) {
    float8 v = load_of(out, i, n);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) v += load_of(weight.row[k], i, n) * splat8(in[k]);
    return v;
  };
  update_row(out, count, sum);
}

// out = weight^T in, for each image.
inline void multiply_transposed(const float* weight, int64_t stride, int64_t rows, int64_t columns,
                                int64_t images, Vectors in, Vectors out) {
  for (int64_t i = 0; i < images; ++i) std::fill_n(out.of(i), columns, 0.0f);
  for (int64_t r = 0; r < rows; r += 4) {
    const WeightRows four(weight, stride, r, rows);
    for (int64_t i = 0; i < images; ++i) {
      float factor[4] = {};
      std::copy_n(in.of(i) + r, std::min<int64_t>(4, rows - r), factor);
      add4(four, factor, columns, out.of(i));
    }
  }
}

}  // namespace fovea::channel::cpu::FOVEA_TIER
