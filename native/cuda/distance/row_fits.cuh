// Planes of a tile of query rows: the nearest key of each, moments about that, and what solves them. Four
// neighbouring threads have a row.
#pragma once

#include "cuda/distance/fit_scores.cuh"
#include "cuda/pairs/row_softmax.cuh"

namespace fovea::distance::cuda {

// `Scores` are FitScores of rows' and keys' tiles of 32. With kGradients also moments of g.
template <typename Scores, bool kGradients>
class RowFits {
  using Softmax = RowSoftmax<Scores>;
  static constexpr int kShare = Softmax::kShare, kEach = 2 * Softmax::kPairs;
  static_assert(Scores::Tile::kRows == kFitRows && kShare == 4);

  // Rows and columns of squares by fours: a thread has one row of each block, and all its columns.
  static constexpr int kGroups = FitTerms::kCount / 4;

 public:
  FOVEA_DEVICE RowFits(Scores& scores, uint32_t centres)
      : softmax_(scores),
        scores_(scores),
        p_(scores.p),
        row_(softmax_.row),
        share_(int32_t(tile::thread_index() % kShare)),
        centres_(scores.shared() + centres) {}

  // Of a tile whose scores are in shared memory.
  FOVEA_DEVICE void find_nearest(int32_t first_key) {
    float x[kEach];
    softmax_.load(first_key, x);
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) {
      if (!(x[i] > softmax_.reference)) continue;
      softmax_.reference = x[i];
      nearest_ = first_key + softmax_.column(i / 2) + i % 2;
    }
  }

  // Behind all tiles: the nearest key, which has a weight of 1, is the centre. The workspace gets it, and how
  // far it is from the query.
  FOVEA_DEVICE void centre() {
    FOVEA_UNROLL
    for (uint32_t mask = kShare / 2; mask > 0; mask /= 2) {
      const float score = tile::shuffle_xor(softmax_.reference, mask);
      const int32_t key = tile::shuffle_xor(nearest_, mask);
      const bool nearer =
          score > softmax_.reference || (score == softmax_.reference && key < nearest_);
      softmax_.reference = nearer ? score : softmax_.reference;
      nearest_ = nearer ? key : nearest_;
    }
    const AttentionRows& rows = scores_.rows;
    const FitRow of = scores_.fit_row();
    tile::with_type(p_.spec.dtype, [&](auto* type) {
      using Element = std::remove_pointer_t<decltype(type)>;
      const Element* const key = static_cast<const Element*>(p_.key) +
                                 rows.key_offset(p_.spec.key_stride) +
                                 nearest_ * p_.spec.key_stride[1];
      FOVEA_UNROLL
      for (int t = 0; t < kGroups; ++t) {
        const int32_t a = 4 * t + share_;
        double centre = 0;
        if (sees() && a < of.dim) {
          centre = double(tile::widen(tile::load_global(key + a)));
          double* const to = scores_.fit(row_);
          tile::store_global(to + of.centre() + a, centre);
          tile::store_global(to + of.tilt() + a,
                             centre - double(load_float(scores_.query(row_, a))));
        }
        store_double(term(a), centre);
      }
    });
    tile::sync_warp();
  }

  // Weights in place of the scores of a tile; a barrier is to stand before add().
  FOVEA_DEVICE void weigh(int32_t first_key) const {
    float x[kEach];
    softmax_.load(first_key, x);
    FOVEA_UNROLL
    for (int i = 0; i < kEach; ++i) x[i] = softmax_.weight(x[i]);
    softmax_.put(x);
  }

  // Moments of these; g is where dropped() has it.
  FOVEA_DEVICE void add() {
    if (!sees()) return;
    const int32_t groups = (p_.head_dim + 3) / 4;
    FOVEA_NO_UNROLL
    for (int32_t at = 0; at < kKeys; ++at) {
      const double weight = double(load_float(scores_.score(row_, at)));
      if (weight == 0) continue;  // not 0 times what is there, which may be NaN
      double x[kGroups], g = 0;
      if constexpr (kGradients) g = double(load_float(scores_.dropped(row_, at)));
      total_ += weight;
      if constexpr (kGradients) gradient_total_ += weight * g;
      FOVEA_UNROLL
      for (int t = 0; t < kGroups; ++t) {
        if (t >= groups) continue;
        const int32_t a = 4 * t + share_;
        x[t] = weight * (load_double(scores_.term(at, a)) - load_double(term(a)));
        sums_[t] += x[t];
        if constexpr (kGradients) gradient_sums_[t] += g * x[t];
      }
      FOVEA_UNROLL
      for (int c = 0; c < kGroups; ++c) {
        if (c >= groups) continue;
        FOVEA_UNROLL
        for (int half = 0; half < 4; half += 2) {
          double z[2], from[2];
          load_doubles(scores_.term(at, 4 * c + half), z);
          load_doubles(term(4 * c + half), from);
          FOVEA_UNROLL
          for (int n = 0; n < 2; ++n) z[n] -= from[n];
          FOVEA_UNROLL
          for (int t = c; t < kGroups; ++t) {
            if (t >= groups) continue;
            FOVEA_UNROLL
            for (int n = 0; n < 2; ++n) squares_[triangle(t, c)][half + n] += x[t] * z[n];
          }
        }
      }
    }
  }

  // From moments to planes, in place of all else that shared memory has. Answers the sum of weights.
  FOVEA_DEVICE double finish() const {
    const FitMemory memory{p_.head_dim};
    tile::sync_block();
    FOVEA_UNROLL
    for (int t = 0; t < kGroups; ++t) {
      const int32_t i = 4 * t + share_;
      if (i >= memory.dim) continue;
      FOVEA_UNROLL
      for (int c = 0; c <= t; ++c) {
        FOVEA_UNROLL
        for (int n = 0; n < 4; ++n) {
          const int32_t j = 4 * c + n;
          if (j > i) continue;
          store_double(place(memory.squares() + triangle(i, j), row_), squares_[triangle(t, c)][n]);
        }
      }
      store_double(place(memory.sums() + i, row_), sums_[t]);
      if constexpr (kGradients) {
        store_double(place(memory.gradient_sums() + i, row_), gradient_sums_[t]);
      }
    }
    if (share_ == 0) {
      store_double(place(memory.total(), row_), total_);
      if constexpr (kGradients) store_double(place(memory.gradient_total(), row_), gradient_total_);
    }
    tile::sync_block();
    const int32_t row = int32_t(tile::thread_index());
    if (row < scores_.rows.count) solve(row);
    return total_;
  }

  FOVEA_DEVICE int32_t row() const { return row_; }
  FOVEA_DEVICE bool leads() const { return share_ == 0 && row_ < scores_.rows.count; }
  FOVEA_DEVICE bool sees() const { return nearest() != -tile::kInfinity; }
  // The score of the nearest key.
  FOVEA_DEVICE float nearest() const { return softmax_.reference; }

 private:
  // A double of a row, of FitMemory.
  FOVEA_DEVICE uint32_t place(int32_t at, int32_t row) const {
    return scores_.shared() + 8 * (at * kFitRows + row);
  }
  FOVEA_DEVICE uint32_t term(int32_t a) const {
    return centres_ + 8 * (row_ * FitTerms::kPitch + a);
  }

  FOVEA_DEVICE void solve(int32_t row) const {
    const FitRow of = scores_.fit_row();
    const FitMemory memory{of.dim};
    double* const to = scores_.fit(row);
    const auto load = [&](int at) { return load_double(place(at, row)); };
    if (load(memory.total()) == 0) {  // it sees no key
      FOVEA_NO_UNROLL
      for (int32_t i = 0; i < of.doubles(); ++i) {
        tile::store_global(to + i, i == of.level() ? 1.0 : 0.0);
      }
      return;
    }
    struct Memory {
      uint32_t at;
      FOVEA_DEVICE double load(int i) const { return load_double(at + 8 * kFitRows * i); }
      FOVEA_DEVICE void store(int i, double x) const { store_double(at + 8 * kFitRows * i, x); }
    };
    solve_fit(
        Memory{place(memory.work(), row)}, of.dim,
        ridge_of(p_.spec.ridge, inverse_square_of(p_, scores_.rows.head(row))), kGradients,
        [&](int i, int j) {
          const bool of_g = i > of.dim;
          if (j == 0) {
            return load(of_g     ? memory.gradient_total()
                        : i == 0 ? memory.total()
                                 : memory.sums() + i - 1);
          }
          return load(of_g ? memory.gradient_sums() + j - 1
                           : memory.squares() + triangle(i - 1, j - 1));
        },
        [&](int a) { return tile::load_global(to + of.tilt() + a); },
        [&](int i, double x) { tile::store_global(to + i, x); });
  }

  Softmax softmax_;
  Scores& scores_;
  const DistanceParams& p_;
  const int32_t row_, share_;
  const uint32_t centres_;
  int32_t nearest_ = 0;
  // Moments: of each group of four, those of the thread's row.
  double squares_[triangle(kGroups, 0)][4] = {}, sums_[kGroups] = {}, total_ = 0;
  double gradient_sums_[kGroups] = {}, gradient_total_ = 0;
};

}  // namespace fovea::distance::cuda
