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

// <row, in> of four rows, each in eight parts.
[[gnu::noinline]] inline void multiply4(const WeightRows& weight, const float* in, int64_t count,
                                        float (&out)[4]) {
  float8 sum[4] = {};
  for (int64_t i = 0; i + 8 <= count; i += 8) {
    const float8 v = load8(in + i);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) sum[k] += load8(weight.row[k] + i) * v;
  }
  if (const int64_t left = count % 8; left > 0) {
    const float8 v = load_some(in + count - left, left);
    for (int k = 0; k < 4; ++k) sum[k] += load_some(weight.row[k] + count - left, left) * v;
  }
  for (int k = 0; k < 4; ++k) out[k] = sum_of(sum[k]);
}

// out = weight in + bias, for each image; bias may be null.
inline void multiply(const float* weight, int64_t stride, const float* bias, int64_t rows,
                     int64_t columns, int64_t images, Vectors in, Vectors out) {
  for (int64_t r = 0; r < rows; r += 4) {
    const WeightRows four(weight, stride, r, rows);
    for (int64_t i = 0; i < images; ++i) {
      float product[4];
      multiply4(four, in.of(i), columns, product);
      for (int64_t k = r; k < std::min(r + 4, rows); ++k) {
        out.of(i)[k] = bias == nullptr ? product[k - r] : product[k - r] + bias[k];
      }
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
  write_row(Cached{}, out, count, sum);
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
