// Local linear fits of the rows of a tile: from scores to the moments of each row's keys, and to its plane;
// ops/distance/fit.h says what that is.
//
// A row's keys are met three times: to find the nearest, for the moments, and for their weights. Moments are
// sums of (dim + 1) (dim + 2) / 2 products for each pair of a row and a key, keys in the SIMD lanes; with the
// roots of weights in both factors they are those of a matrix and its transpose.
#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/distance/kernels.h"
#include "cpu/doubles.h"
#include "cpu/product.h"
#include "ops/distance/fit.h"

namespace fovea::distance::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

inline vint seen_lanes(Span seen, int k) {
  const vint key = splat(int32_t(k)) + lane_numbers();
  return (key >= splat(int32_t(seen.begin))) & (key < splat(int32_t(seen.end)));
}

// Takes from each of `values` the product of a vector, at those places of a FitRow, and z of keys from k on,
// whose elements are the rows of `keys`.
template <int kPlanes>
inline void subtract_planes(const double* fit, int dim, const int (&vectors)[kPlanes],
                            const Panel<const float>& keys, int k, vdouble (&values)[kPlanes]) {
  for (int a = 0; a < dim; ++a) {
    const vdouble z = load_wide(keys.at + a * keys.row + k) - splat(fit[a]);
    for (int n = 0; n < kPlanes; ++n) values[n] = fma(splat(-fit[vectors[n] + a]), z, values[n]);
  }
}

class RowFits {
 public:
  RowFits(const Spec& spec, const FitScratch& layout, float* scratch)
      : row_{int(spec.head_dim)},
        backward_(spec.pass == FOVEA_BACKWARD),
        ridge_(spec.ridge),
        z_row_(layout.z_row),
        z_(reinterpret_cast<double*>(scratch + layout.z)),
        moments_(reinterpret_cast<double*>(scratch + layout.moments)),
        count_(moments_of(row_.dim, backward_)) {}

  // Of rows that are new, whose FitRows begin at `fits`.
  void start(int rows, double* fits) {
    fits_ = fits;
    std::fill_n(nearest_, rows, -kInfinity);
    std::fill_n(fits, rows * row_.doubles(), 0.0);
    std::fill_n(moments(0), rows * count_, 0.0);
    for (int r = 0; r < rows; ++r) fit(r)[row_.level()] = 1;
  }

  // Scores of keys [seen.begin, seen.end) of a tile, whose elements are the rows of `keys`.
  void find_nearest(int r, Span seen, const float* s, const Panel<const float>& keys) {
    vfloat highest = splat(-kInfinity);
    for (int k = seen.begin / kLanes * kLanes; k < seen.end; k += kLanes) {
      highest = max(select(seen_lanes(seen, k), load(s + k), splat(-kInfinity)), highest);
    }
    float most = nearest_[r];
    for (int lane = 0; lane < kLanes; ++lane) most = std::max(most, highest[lane]);
    if (!(most > nearest_[r])) return;
    nearest_[r] = most;
    const int64_t k = std::find(s + seen.begin, s + seen.end, most) - s;
    for (int a = 0; a < row_.dim; ++a) fit(r)[a] = double(keys.at[a * keys.row + k]);
  }

  // Once all keys were met: those of the tile again, and, backward, their g.
  [[gnu::noinline]] void add(int r, Span seen, const float* s, const float* g,
                             const Panel<const float>& keys) {
    if (seen.begin >= seen.end || !sees(r)) return;
    const int begin = seen.begin / kLanes * kLanes, end = int(round_to_vectors(seen.end));
    alignas(64) float roots[kMostKeys];
    for (int k = begin; k < end; k += kLanes) {
      const vfloat half = (load(s + k) - splat(nearest_[r])) * splat(0.5f);
      store(roots + k, select(seen_lanes(seen, k), exp2(half), vfloat{}));
    }
    const int rows = row_.dim + (backward_ ? 2 : 1);
    for (int k = begin; k < end; k += kDoubles) {
      const vdouble root = load_wide(roots + k);
      // Not 0 times what is there, which may be NaN.
      const auto weigh = [&](vdouble x) { return where(root == vdouble{}, root, root * x); };
      store(z(0) + k, root);
      for (int a = 0; a < row_.dim; ++a) {
        store(z(a + 1) + k, weigh(load_wide(keys.at + a * keys.row + k) - splat(fit(r)[a])));
      }
      if (backward_) store(z(row_.dim + 1) + k, weigh(load_wide(g + k)));
      for (int i = rows; i < FitScratch::rows_of_z(row_.dim); ++i) store(z(i) + k, vdouble{});
    }
    for (int i = 0; i < rows; i += kTall) {
      for (int j = 0; j < std::min(i + kTall, rows); j += kWide) {
        const Block block{i, j, begin, end, moments(r)};
        switch (std::min(kTall, rows - i)) {
          case 1:
            add_block<1>(block);
            break;
          case 2:
            add_block<2>(block);
            break;
          case 3:
            add_block<3>(block);
            break;
          default:
            add_block<4>(block);
        }
      }
    }
  }

  // The plane of row r, whose elements are at `query`.
  void solve(int r, const float* query, double inverse_square) const {
    if (!sees(r)) return;
    double doubles[fit_doubles(FOVEA_MOST_FIT_DIM)];
    struct Memory {
      double* at;
      double load(int i) const { return at[i]; }
      void store(int i, double x) const { at[i] = x; }
    };
    double* const to = fit(r);
    const double* const sums = moments(r);
    solve_fit(
        Memory{doubles}, row_.dim, ridge_of(ridge_, inverse_square), backward_,
        [&](int i, int j) { return sums[triangle(i, j)]; },
        [&](int a) { return to[a] - double(query[a]); }, [&](int i, double x) { to[i] = x; });
  }

  // Whether any key weighs; the score of the nearest, and the sum of weights, that of which is 1.
  bool sees(int r) const { return nearest_[r] != -kInfinity; }
  float nearest(int r) const { return nearest_[r]; }
  double sum(int r) const { return moments(r)[0]; }

 private:
  // Sums that are in registers together, in rows and columns of the triangle.
  static constexpr int kTall = kIsa == FOVEA_ISA_AVX512 ? 4 : kIsa == FOVEA_ISA_AVX2 ? 2 : 1;
  static constexpr int kWide = 4;
  static_assert(FitScratch::rows_of_z(0) % kWide == 0);

  // Moments (i, j) and those below and beside it, of keys [begin, end).
  struct Block {
    int i, j, begin, end;
    double* to;
  };

  template <int kRows>
  void add_block(const Block& block) {
    vdouble sums[kRows][kWide] = {};
    for (int k = block.begin; k < block.end; k += kDoubles) {
      vdouble columns[kWide];
      for (int n = 0; n < kWide; ++n) columns[n] = load(z(block.j + n) + k);
      for (int m = 0; m < kRows; ++m) {
        const vdouble x = load(z(block.i + m) + k);
        for (int n = 0; n < kWide; ++n) sums[m][n] = fma(x, columns[n], sums[m][n]);
      }
    }
    for (int m = 0; m < kRows; ++m) {
      double row[kWide];
      sum_lanes(sums[m], row);
      const int i = block.i + m;
      for (int n = 0; n < kWide && block.j + n <= i; ++n) {
        block.to[triangle(i, block.j + n)] += row[n];
      }
    }
  }

  double* z(int row) const { return z_ + row * z_row_; }
  double* fit(int r) const { return fits_ + r * row_.doubles(); }
  double* moments(int r) const { return moments_ + r * count_; }

  const FitRow row_;
  const bool backward_;
  const float ridge_;
  const int64_t z_row_;
  double* const z_;
  double* const moments_;
  const int count_;
  double* fits_ = nullptr;
  float nearest_[fovea::cpu::kMostTileRows];
};

}  // namespace fovea::distance::cpu::FOVEA_TIER
