// The online softmax (Milakov and Gimelshein, arXiv 1805.02867) over the sums of products, in units of
// log2: each thread holds two rows of every 16 x 8 piece, four threads share a row.
#pragma once

#include "tile/warp.cuh"

namespace fovea::tile {

constexpr float kExact = 0x1p22f;  // products below are exact to a quarter

// Maximum and sum of the rows so far. The sum is this thread's share until finish().
template <int kM>
struct Softmax {
  float maximum[kM][2];
  float sum[kM][2];

  FOVEA_DEVICE void start() {
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        maximum[i][h] = -kInfinity;
        sum[i][h] = 0;
      }
    }
  }

  // What exponents are taken relative to; a row without a visible key so far has no maximum.
  FOVEA_DEVICE float reference(int i, int h) const {
    return maximum[i][h] == -kInfinity ? 0.0f : maximum[i][h];
  }

  // Turns scores s, of which s * scale is in units of log2 and scale > 0, into weights relative to the
  // new maximum, and brings `out`, the weighted sums so far, to it. Beyond 2^22 the rounding of the
  // maximum's product alone is worth powers of two, and beyond 2^29 an overflow; kAnySize takes the
  // difference first there, for the price of a branch and its registers.
  template <bool kAnySize, int kColumns, int kOutColumns>
  FOVEA_DEVICE void step(float (&s)[kM][kColumns][4], float scale,
                         float (&out)[kM][kOutColumns][4]) {
    float decay[kM][2];
    bool moved = false;
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        float highest = maximum[i][h];
        FOVEA_UNROLL
        for (int j = 0; j < kColumns; ++j) {
          highest = tile::maximum(highest, tile::maximum(s[i][j][2 * h], s[i][j][2 * h + 1]));
        }
        highest = quad_max(highest);
        const float before = maximum[i][h];
        maximum[i][h] = highest;
        const float reference = this->reference(i, h);
        float zero = reference * scale;
        if (kAnySize && (zero > kExact || zero < -kExact)) {
          FOVEA_UNROLL
          for (int j = 0; j < kColumns; ++j) {
            s[i][j][2 * h] -= reference;
            s[i][j][2 * h + 1] -= reference;
          }
          zero = 0;
        }
        // Not the difference of products: where the maximum stays this is exactly one, so that the
        // sum does not drift and no row feels whether a neighbour's maximum moves.
        decay[i][h] = exp2_approx((before - reference) * scale);
        moved |= before != highest;
        float total = 0;
        FOVEA_UNROLL
        for (int j = 0; j < kColumns; ++j) {
          FOVEA_UNROLL
          for (int e = 2 * h; e < 2 * h + 2; ++e) {
            s[i][j][e] = exp2_approx(fused_multiply_add(s[i][j][e], scale, -zero));
            total += s[i][j][e];
          }
        }
        sum[i][h] = fused_multiply_add(sum[i][h], decay[i][h], total);
      }
    }
    // After a few tiles a maximum seldom moves, and multiplying by one changes nothing: on average
    // this skips kM * kOutColumns * 4 multiplications a tile.
    if (any(moved)) {
      FOVEA_UNROLL
      for (int i = 0; i < kM; ++i) {
        FOVEA_UNROLL
        for (int j = 0; j < kOutColumns; ++j) {
          FOVEA_UNROLL
          for (int e = 0; e < 4; ++e) out[i][j][e] *= decay[i][e / 2];
        }
      }
    }
  }

  // Sums over whole rows.
  FOVEA_DEVICE void finish() {
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) sum[i][h] = quad_sum(sum[i][h]);
    }
  }
};

}  // namespace fovea::tile
