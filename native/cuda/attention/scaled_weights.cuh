// What elements of a cache are multiplied by: scores by the scales of keys, weights by those of values.
#pragma once

#include "tile/fragment.cuh"
#include "tile/warp.cuh"

namespace fovea::attention::cuda {

// That of the queries of a block.
FOVEA_DEVICE float load_query_scale(const AttentionParams& p, uint32_t shared_rows) {
  const int64_t(&stride)[2] = p.spec.query_scales_stride;
  return tile::load_global(p.query_scales + load_rows_field<offsetof(AttentionRows, batch)>(shared_rows) * stride[0] +
                           load_rows_field<offsetof(AttentionRows, key_head)>(shared_rows) * stride[1]);
}

// Scores of the keys of a tile of Ring's from `key` on.
template <typename Ring, int kM, int kColumns>
FOVEA_DEVICE void scale_keys(tile::Fragment<kM, kColumns>& s, uint32_t tile, uint32_t key) {
  Ring::template each_scale<kColumns>(tile, key, [&](int j, int e, float scale) {
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      s[i][j][e] *= scale;
      s[i][j][2 + e] *= scale;
    }
  });
}

// Weights likewise, on their way to their product. Where kUnits, their type holds so few powers of two that scales
// are taken relative to one that is above them all so far, and so are the sums.
template <bool kUnits>
class ScaledWeights {
 public:
  FOVEA_DEVICE void start(bool) {}

  template <typename Ring, int kKeys, int kM, int kColumns, int kOutColumns>
  FOVEA_DEVICE void multiply(tile::Fragment<kM, kColumns>& s, tile::Fragment<kM, kOutColumns>&,
                             uint32_t tile, uint32_t key) {
    scale_keys<Ring>(s, tile, key);
  }

  template <typename Sums>
  FOVEA_DEVICE void finish(Sums&) const {}
};

template <>
class ScaledWeights<true> {
 public:
  // Without scales sums are in units of 1.
  FOVEA_DEVICE void start(bool given) { exponent_ = given ? 0 : 126; }

  template <typename Ring, int kKeys, int kM, int kColumns, int kOutColumns>
  FOVEA_DEVICE void multiply(tile::Fragment<kM, kColumns>& s, tile::Fragment<kM, kOutColumns>& out,
                             uint32_t tile, uint32_t key) {
    const auto bits = int32_t(tile::as_bits(Ring::template largest_scale<kKeys>(tile, key)) >> 23);
    const int32_t largest = bits < 252 ? bits : 252;
    if (largest > exponent_) {
      const int32_t rise = largest - exponent_;
      tile::scale(out, rise < 127 ? power(127 - rise) : 0.0f);
      exponent_ = largest;
    }
    const float inverse = power(253 - exponent_);
    Ring::template each_scale<kColumns>(tile, key, [&](int j, int e, float scale) {
      const float factor = scale * inverse;
      FOVEA_UNROLL
      for (int i = 0; i < kM; ++i) {
        s[i][j][e] *= factor;
        s[i][j][2 + e] *= factor;
      }
    });
  }

  // Sums, or what they are yet multiplied by, in units of 1.
  template <int kM>
  FOVEA_DEVICE void finish(float (&factor)[kM][2]) const {
    tile::each_row<kM>([&](int i, int h) { factor[i][h] *= power(exponent_ + 1); });
  }
  template <int kM, int kColumns>
  FOVEA_DEVICE void finish(tile::Fragment<kM, kColumns>& out) const {
    tile::scale(out, power(exponent_ + 1));
  }

 private:
  static FOVEA_DEVICE float power(int32_t exponent) { return tile::as_float(uint32_t(exponent) << 23); }

  int32_t exponent_;  // as floats have it, of the largest scale; the unit is the power of two above
};

}  // namespace fovea::attention::cuda
