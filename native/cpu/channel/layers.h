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

// A vector of elements [i, i + kLanes), of which `n` are there; the rest is zero.
inline vfloat load_part(const float* row, int64_t i, int64_t n) {
  return n >= kLanes ? load_vector(row + i) : load_first(row + i, n);
}

// As many images at once as there are registers for with four rows.
constexpr int kLayerImages = kLanes == 16 ? 4 : 2;

// <row, in> of four rows and of some images, each in as many parts as a vector has lanes.
template <int kImages>
[[gnu::noinline]] void multiply4(const WeightRows& weight, const float* const (&in)[kImages],
                                 int64_t count, float (&out)[kImages][4]) {
  vfloat sum[kImages][4] = {};
  const auto step = [&](int64_t i, int64_t n) {
    vfloat w[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) w[k] = load_part(weight.row[k], i, n);
#pragma GCC unroll 4
    for (int m = 0; m < kImages; ++m) {
      const vfloat v = load_part(in[m], i, n);
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) sum[m][k] = fma(w[k], v, sum[m][k]);
    }
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) step(i, kLanes);
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
    const auto products = [&]<int kImages>(int64_t i, std::integral_constant<int, kImages>) {
      const float* of[kImages];
      float product[kImages][4];
      for (int m = 0; m < kImages; ++m) of[m] = in.of(i + m);
      multiply4<kImages>(four, of, columns, product);
      for (int m = 0; m < kImages; ++m) write(i + m, product[m]);
    };
    int64_t i = 0;
    for (; i + kLayerImages <= images; i += kLayerImages) {
      products(i, std::integral_constant<int, kLayerImages>{});
    }
    for (; i < images; ++i) products(i, std::integral_constant<int, 1>{});
  }
}

// out += what four rows times their elements of `in` give.
[[gnu::noinline]] inline void add4(const WeightRows& weight, const float (&in)[4], int64_t count,
                                   float* out) {
  const auto sum = [&](int64_t i, int64_t n) {
    vfloat v = load_part(out, i, n);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) v = fma(load_part(weight.row[k], i, n), splat(in[k]), v);
    return v;
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store_vector(out + i, sum(i, kLanes));
  if (i < count) store_first(out + i, sum(i, count - i), count - i);
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
