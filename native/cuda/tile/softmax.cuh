// The online softmax (Milakov and Gimelshein, arXiv 1805.02867) over the sums of products, in units of
// log2: each thread holds two rows of every 16 x 8 piece, four threads share a row.
#pragma once

#include "tile/fragment.cuh"
#include "tile/memory.cuh"
#include "tile/precision.h"

namespace fovea::tile {

// A row's exponents are taken relative to a reference, its maximum as it once was. The row keeps it
// until a score is larger by a headroom of some powers of two: the sums so far need not be multiplied
// each time that the maximum rises. Weights are powers of two above the reference, and an offset, as
// the type that they are rounded to for their product is exact for: float16 for 2^-14 to 2^15, where it
// would lose what is 2^-14 of a maximum of one, and forget what is 2^-25 of it; e4m3 for 2^-6 to 448.
template <Precision kWeights>
constexpr float kHeadroom = kWeights == Precision::kFloat16 ? 2 : kWeights == Precision::kFloat8 ? 0.75f : 8;
template <Precision kWeights>
constexpr float kOffset = kWeights == Precision::kFloat16 ? 13 : kWeights == Precision::kFloat8 ? 8 : 0;

// The reference of a row that has none: finite, so that a masked score is infinitely below it.
constexpr float kNoReference = -3.40282347e38f;

// References from here on are rounded, in units of log2, by so much that weights would leave the type
// they are rounded to.
constexpr float kLarge = 0x1p22f;

// Reference and sum of the rows so far. The sum is this thread's share until finish().
//
// A reference is in units of log2, less the offset, and joins the multiply-add of the scale. Where it
// would be large, the row has a score for it instead, and the difference of two scores is taken first,
// exactly. Such rows are few: their scores wait in shared memory, where they cost others no register.
// Slots::address() is that of a word for the thread's first row; words of its others are 32 bytes apart.
//
// kScores: all rows have a score for it, for one instruction more for each score. Kernels of float32,
// where that is one in a hundred, have no register left to tell them apart; and to sums of parts of a row the
// two kinds would be four cases.
template <int kM, Precision kWeights, bool kScores, typename Slots>
struct Softmax {
  float reference[kM][2];
  float sum[kM][2];

  FOVEA_DEVICE void start() {
    each_row<kM>([&](int i, int h) {
      reference[i][h] = kNoReference;
      sum[i][h] = 0;
      if constexpr (!kScores) store_score(i, h, kNoReference);
    });
    if constexpr (!kScores) sync_warp();
  }

  // The score that a row has for its reference, or kNoReference.
  FOVEA_DEVICE float reference_score(int i, int h) const {
    if constexpr (kScores) {
      return reference[i][h];
    } else {
      return reference[i][h] != kNoReference ? kNoReference : as_float(load_shared(slot(i, h)));
    }
  }

  // The power of two that a score weighs; `base` is what reference_score() is.
  FOVEA_DEVICE float exponent(float score, int i, int h, float base, float scale) const {
    if constexpr (kScores && kWeights == Precision::kFloat16) {
      return fused_multiply_add(score - base, scale, kOffset<kWeights>);
    }
    if constexpr (kScores) return (score - base) * scale;
    return base != kNoReference
               ? fused_multiply_add(score - base, scale, kOffset<kWeights>)
               : fused_multiply_add(score, scale, -reference[i][h]);
  }

  // Turns scores s, of which s * scale is in units of log2 and scale > 0, into weights relative to the
  // reference, and brings `out`, the weighted sums so far, to it where it moves.
  template <int kColumns, int kOutColumns>
  FOVEA_DEVICE void step(Fragment<kM, kColumns>& s, float scale, Fragment<kM, kOutColumns>& out) {
    step_with(s, scale, [&](int i, int h, float decay) { scale_row(out, i, h, decay); });
  }

  // The same, where decay_row(i, h, decay) says by what those of a row are to be multiplied, if at all; whether any
  // of the warp's are.
  template <int kColumns, typename DecayRow>
  FOVEA_DEVICE bool step_with(Fragment<kM, kColumns>& s, float scale, DecayRow decay_row) {
    float highest[kM][2];
    bool beyond = false;
    each_row<kM>([&](int i, int h) {
      highest[i][h] = row_max(s, i, h);
      beyond |= exponent(highest[i][h], i, h, kScores ? reference[i][h] : kNoReference, scale) > kMost;
    });
    const bool moves = any(beyond);
    if (moves) move(highest, scale, decay_row);
    if (kScores || moves) {
      weigh<true>(s, scale);
    } else {
      weigh<false>(s, scale);
    }
    return moves;
  }

  // Sums over whole rows.
  FOVEA_DEVICE void finish() {
    each_row<kM>([&](int i, int h) { sum[i][h] = quad_sum(sum[i][h]); });
  }

 private:
  static constexpr float kMost = kHeadroom<kWeights> + kOffset<kWeights>;

  static FOVEA_DEVICE uint32_t slot(int i, int h) { return Slots::address() + 64 * i + 32 * h; }
  static FOVEA_DEVICE void store_score(int i, int h, float score) {
    if (thread_index() % 4 == 0) store_shared(slot(i, h), as_bits(score));
  }

  // Rows whose maximum is beyond the headroom take it as their reference. For the others the factor is
  // exactly one: no row feels what its neighbours do.
  template <typename DecayRow>
  FOVEA_DEVICE void move(const float (&highest)[kM][2], float scale, DecayRow decay_row) {
    float base[kM][2];
    each_row<kM>([&](int i, int h) { base[i][h] = reference_score(i, h); });
    if constexpr (!kScores) sync_warp();  // all have read
    each_row<kM>([&](int i, int h) {
      if (!(exponent(highest[i][h], i, h, base[i][h], scale) > kMost)) return;
      const float before = reference[i][h], above = highest[i][h] * scale;
      const bool was_large = kScores || base[i][h] != kNoReference;
      const bool is_large = kScores || !(__builtin_fabsf(above) < kLarge);
      if constexpr (kScores) {
        reference[i][h] = highest[i][h];
      } else {
        reference[i][h] = is_large ? kNoReference : above - kOffset<kWeights>;
        if (is_large) store_score(i, h, highest[i][h]);
      }
      // From one kind to the other with a single rounding, as exponents have it.
      const float change =
          was_large ? is_large ? (base[i][h] - highest[i][h]) * scale
                               : fused_multiply_add(base[i][h], scale, -above)
          : is_large ? fused_multiply_add(highest[i][h], -scale, before + kOffset<kWeights>)
                     : before - reference[i][h];
      const float decay = exp2_approx(change);
      sum[i][h] *= decay;
      decay_row(i, h, decay);
    });
    if constexpr (!kScores) sync_warp();
  }

  // Scores to weights. Rows that have a score for their reference are in `kAll` alone: of those that do
  // not, no row is of any other kind.
  template <bool kAll, int kColumns>
  FOVEA_DEVICE void weigh(Fragment<kM, kColumns>& s, float scale) {
    each_row<kM>([&](int i, int h) {
      const float base = kAll ? reference_score(i, h) : kNoReference;
      float total = 0;
      each_of_row(s, i, h, [&](float& x, int j, int e) {
        x = exp2_approx(exponent(x, i, h, base, scale));
        total = j == 0 && e == 2 * h ? x : total + x;
      });
      sum[i][h] += total;
      // Here, not behind what changes the weights: both at once made float32 of D 256 spill 16 bytes on sm_100.
      if constexpr (kWeights == Precision::kFloat32) sum[i][h] = opaque(sum[i][h]);
    });
  }
};

}  // namespace fovea::tile
