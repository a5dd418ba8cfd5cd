// What of the channels of pixels goes into the maps: sum and maximum, and backward the channel of the
// maximum and the sum of dout * x.
#pragma once

#include "cpu/image/rows.h"

namespace fovea::spatial::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

constexpr int kChannels = 4;  // that are folded at a time
constexpr int64_t kFoldedPixels = 1024;  // at a time: what they have stays in L1

// Added to vectors of which n elements are there: the others are no maximum.
constexpr float8 kAbsent[8] = {
    {},
    {0, -kInfinity, -kInfinity, -kInfinity, -kInfinity, -kInfinity, -kInfinity, -kInfinity},
    {0, 0, -kInfinity, -kInfinity, -kInfinity, -kInfinity, -kInfinity, -kInfinity},
    {0, 0, 0, -kInfinity, -kInfinity, -kInfinity, -kInfinity, -kInfinity},
    {0, 0, 0, 0, -kInfinity, -kInfinity, -kInfinity, -kInfinity},
    {0, 0, 0, 0, 0, -kInfinity, -kInfinity, -kInfinity},
    {0, 0, 0, 0, 0, 0, -kInfinity, -kInfinity},
    {0, 0, 0, 0, 0, 0, 0, -kInfinity},
};

struct Folded {
  float sum[kFoldedPixels + 8], maximum[kFoldedPixels + 8], product[kFoldedPixels + 8];
  int32_t index[kFoldedPixels + 8];

  void clear(int64_t count) {
    std::fill_n(sum, count, 0.0f);
    std::fill_n(maximum, count, -kInfinity);
    std::fill_n(product, count, 0.0f);
    std::fill_n(index, count, 0);
  }
};

// A channel of pixels from `at` on. What lies behind the last is of no pixel, and may be anything.
template <typename T>
[[gnu::noinline]] void fold_channel(const T* x, int64_t count, int64_t at, Folded& folded) {
  for (int64_t i = 0; i < count; i += 8) {
    const int64_t n = std::min<int64_t>(8, count - i);
    const float8 v = load_of(x, i, n);
    const auto fold = [&](float* p, float8 all) {
      if (n == 8) return store8(p, all);
      for (int64_t k = 0; k < n; ++k) p[k] = all[k];
    };
    fold(folded.sum + at + i, load8(folded.sum + at + i) + v);
    fold(folded.maximum + at + i, max8(v, load8(folded.maximum + at + i)));
  }
}

// Four channels, so that sums and maxima are loaded and stored once for all of them.
template <typename T>
[[gnu::noinline]] void fold_channels(const T* x, int64_t stride, int64_t count, int64_t at,
                                     Folded& folded) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    float8 v[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) v[k] = load8(x + k * stride + i);
    float* const sum = folded.sum + at + i;
    float* const maximum = folded.maximum + at + i;
    store8(sum, load8(sum) + ((v[0] + v[1]) + (v[2] + v[3])));
    store8(maximum, max8(max8(v[0], v[1]), max8(max8(v[2], v[3]), load8(maximum))));
  }
  for (; i < count; ++i) {
    float v[4];
    for (int k = 0; k < 4; ++k) v[k] = to_float(x[k * stride + i]);
    folded.sum[at + i] += (v[0] + v[1]) + (v[2] + v[3]);
    for (float it : v) {
      if (it > folded.maximum[at + i]) folded.maximum[at + i] = it;
    }
  }
}

// `kChannels` neighbouring channels of both, with dout * x and the lowest channel of the maximum.
template <int kChannels, typename T, typename O>
[[gnu::noinline]] void fold_gradients(const T* x, int64_t x_stride, const O* dout, int64_t dout_stride,
                                      int32_t channel, int64_t count, int64_t at, Folded& folded) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const int64_t p = at + i;
    auto* const indices = reinterpret_cast<int8*>(folded.index + p);
    float8 sum = load8(folded.sum + p), product = load8(folded.product + p);
    float8 maximum = load8(folded.maximum + p);
    int8 index = *indices;
#pragma GCC unroll 4
    for (int k = 0; k < kChannels; ++k) {
      const float8 v = load8(x + k * x_stride + i);
      sum += v;
      product += v * load8(dout + k * dout_stride + i);
      const int8 higher = v > maximum;
      maximum = max8(v, maximum);
      index = (higher & (channel + k - int8{})) | (~higher & index);
    }
    store8(folded.sum + p, sum);
    store8(folded.product + p, product);
    store8(folded.maximum + p, maximum);
    *indices = index;
  }
  for (; i < count; ++i) {
    for (int k = 0; k < kChannels; ++k) {
      const float v = to_float(x[k * x_stride + i]);
      folded.sum[at + i] += v;
      folded.product[at + i] += v * to_float(dout[k * dout_stride + i]);
      if (v > folded.maximum[at + i]) {
        folded.maximum[at + i] = v;
        folded.index[at + i] = channel + k;
      }
    }
  }
}

// Eight vectors across their lanes: lane k of the answer is of v[k].
inline float8 sums_of(float8 (&v)[8]) {
  transpose8(v);
  return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}
inline float8 maxima_of(float8 (&v)[8]) {
  transpose8(v);
  return max8(max8(max8(v[0], v[1]), max8(v[2], v[3])), max8(max8(v[4], v[5]), max8(v[6], v[7])));
}

// All channels, which are neighbours, of up to eight pixels.
template <typename T>
[[gnu::noinline]] void fold_pixels(const T* x, int64_t stride, int64_t pixels, int64_t channels,
                                   int64_t at, Folded& folded) {
  float8 sums[8] = {}, maxima[8] = {};
  for (int64_t p = 0; p < pixels; ++p, x += stride) {
    float8 sum[2] = {}, maximum[2] = {splat8(-kInfinity), splat8(-kInfinity)};
    int64_t c = 0;
    for (; c + 16 <= channels; c += 16) {
#pragma GCC unroll 2
      for (int k = 0; k < 2; ++k) {
        const float8 v = load8(x + c + 8 * k);
        sum[k] += v;
        maximum[k] = max8(v, maximum[k]);
      }
    }
    for (; c < channels; c += 8) {
      const int64_t n = std::min<int64_t>(8, channels - c);
      const float8 v = load_of(x, c, n);
      sum[0] += v;
      maximum[0] = max8(n == 8 ? v : v + kAbsent[n], maximum[0]);
    }
    sums[p] = sum[0] + sum[1];
    maxima[p] = max8(maximum[0], maximum[1]);
  }
  store8(folded.sum + at, sums_of(sums));
  store8(folded.maximum + at, maxima_of(maxima));
}

// With dout * x and the lowest channel of the maximum.
template <typename T, typename O>
[[gnu::noinline]] void fold_pixels_gradients(const T* x, int64_t stride, const O* dout,
                                             int64_t dout_stride, int64_t pixels, int64_t channels,
                                             int64_t at, Folded& folded) {
  fold_pixels(x, stride, pixels, channels, at, folded);
  float8 products[8] = {};
  for (int64_t p = 0; p < pixels; ++p, x += stride, dout += dout_stride) {
    const float8 maximum = splat8(folded.maximum[at + p]);
    float8 product = {};
    int64_t index = channels;
    for (int64_t c = 0; c < channels; c += 8) {
      const int64_t n = std::min<int64_t>(8, channels - c);
      // The next eight pixels, as in channel attention: from memory a quarter less time for the pass, from L3 a
      // tenth more.
      __builtin_prefetch(x + 8 * stride + c);
      __builtin_prefetch(dout + 8 * dout_stride + c);
      const float8 v = load_of(x, c, n);
      product += v * load_of(dout, c, n);
      if (index == channels && any8(v == maximum)) index = c;
    }
    products[p] = product;
    while (index < channels && to_float(x[index]) != folded.maximum[at + p]) ++index;
    folded.index[at + p] = index < channels ? int32_t(index) : 0;  // none where all are NaN
  }
  store8(folded.product + at, sums_of(products));
}

}  // namespace fovea::spatial::cpu::FOVEA_TIER
