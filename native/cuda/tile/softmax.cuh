// The online softmax (Milakov and Gimelshein, arXiv 1805.02867) over the sums of products, in units of
// log2: each thread holds two rows of every 16 x 8 piece, four threads share a row.
#pragma once

#include "tile/warp.cuh"

namespace fovea::tile {

// A row's exponents are taken relative to a reference, its maximum as it once was. The row keeps it
// until a score is larger by this many powers of two: weights up to 2^8 are as exact as weights up to
// one, in 16 bits too, and the sums so far need not be multiplied each time that the maximum rises.
constexpr float kHeadroom = 8;

// The reference of a row that has seen no key: finite, so that a masked score is infinitely below it.
constexpr float kNoReference = -3.40282347e38f;

// Reference and sum of the rows so far. The sum is this thread's share until finish().
//
// kAnySize: scores may be so large that the rounding of their product with `scale` is worth powers of
// two (from 2^22 on) or overflows. Then the reference is a score, and the difference of two scores is
// taken first, exactly; else it is in units of log2 and taken in the multiply-add of the scale, for one
// instruction less for each score.
template <int kM, bool kAnySize>
struct Softmax {
  float reference[kM][2];
  float sum[kM][2];

  FOVEA_DEVICE void start() {
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        reference[i][h] = kNoReference;
        sum[i][h] = 0;
      }
    }
  }

  // In units of log2.
  FOVEA_DEVICE float reference2(int i, int h, float scale) const {
    return kAnySize ? reference[i][h] * scale : reference[i][h];
  }
  // What a score is above the reference, in units of log2.
  FOVEA_DEVICE float above(float score, int i, int h, float scale) const {
    return kAnySize ? (score - reference[i][h]) * scale
                    : fused_multiply_add(score, scale, -reference[i][h]);
  }

  // Turns scores s, of which s * scale is in units of log2 and scale > 0, into weights relative to the
  // reference, and brings `out`, the weighted sums so far, to it where it moves.
  template <int kColumns, int kOutColumns>
  FOVEA_DEVICE void step(float (&s)[kM][kColumns][4], float scale,
                         float (&out)[kM][kOutColumns][4]) {
    float highest[kM][2];
    bool beyond = false;
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        highest[i][h] = maximum(s[i][0][2 * h], s[i][0][2 * h + 1]);
        FOVEA_UNROLL
        for (int j = 1; j < kColumns; ++j) {
          highest[i][h] = maximum(highest[i][h], maximum(s[i][j][2 * h], s[i][j][2 * h + 1]));
        }
        highest[i][h] = quad_max(highest[i][h]);
        beyond |= above(highest[i][h], i, h, scale) > kHeadroom;
      }
    }
    if (any(beyond)) move(highest, scale, out);
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        float total = 0;
        FOVEA_UNROLL
        for (int j = 0; j < kColumns; ++j) {
          FOVEA_UNROLL
          for (int e = 2 * h; e < 2 * h + 2; ++e) {
            s[i][j][e] = exp2_approx(above(s[i][j][e], i, h, scale));
            total = j == 0 && e == 2 * h ? s[i][j][e] : total + s[i][j][e];
          }
        }
        sum[i][h] += total;
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

 private:
  // Rows whose maximum is beyond the headroom take it as their reference. For the others the factor is
  // exactly one: no row feels what its neighbours do.
  template <int kOutColumns>
  FOVEA_DEVICE void move(const float (&highest)[kM][2], float scale,
                         float (&out)[kM][kOutColumns][4]) {
    FOVEA_UNROLL
    for (int i = 0; i < kM; ++i) {
      FOVEA_UNROLL
      for (int h = 0; h < 2; ++h) {
        if (!(above(highest[i][h], i, h, scale) > kHeadroom)) continue;
        const float before = reference[i][h];
        reference[i][h] = kAnySize ? highest[i][h] : highest[i][h] * scale;
        const float change = before - reference[i][h];
        const float decay = exp2_approx(kAnySize ? change * scale : change);
        sum[i][h] *= decay;
        FOVEA_UNROLL
        for (int j = 0; j < kOutColumns; ++j) {
          out[i][j][2 * h] *= decay;
          out[i][j][2 * h + 1] *= decay;
        }
      }
    }
  }
};

}  // namespace fovea::tile
