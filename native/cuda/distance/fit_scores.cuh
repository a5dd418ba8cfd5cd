// Scores of the kernels of a linear fit: keys of a tile in float64, and what the planes of its rows
// (ops/distance/fit.h), which the workspace has, are there.
#pragma once

#include "cuda/distance/fit_tile.h"
#include "cuda/distance/scores.cuh"
#include "ops/distance/fit.h"

namespace fovea::distance::cuda {

template <typename Tile>
class FitScores : public Scores<Tile> {
  using Base = Scores<Tile>;

 public:
  using Base::key, Base::key_of, Base::p, Base::row_of, Base::rows;

  static constexpr bool kFits = true;

  // `own`: where in shared memory it has FitTerms, and behind them for put_planes() two panels.
  FOVEA_DEVICE FitScores(const DistanceParams& params, const AttentionRows& of, uint32_t own)
      : Base(params, of, own), terms_(Base::shared() + own) {}

  // Element a of a key of the tile, zeros behind head_dim.
  FOVEA_DEVICE uint32_t term(int32_t at, int32_t a) const {
    return terms_ + 8 * (at * FitTerms::kPitch + a);
  }
  FOVEA_DEVICE void widen_keys() const {
    FOVEA_NO_UNROLL
    for (int32_t i = int32_t(tile::thread_index()); i < kKeys * FitTerms::kCount; i += kThreads) {
      const int32_t at = i / FitTerms::kCount, a = i % FitTerms::kCount;
      store_double(term(at, a), double(load_float(key(at, a))));
    }
  }

  FOVEA_DEVICE FitRow fit_row() const { return FitRow{p.head_dim}; }
  // In the workspace.
  FOVEA_DEVICE double* fit(int32_t row) const {
    return p.fits + workspace_row(p, rows, row) * fit_row().doubles();
  }

  // Weights of a row and the keys of the tile that a thread has of it, times their factors.
  template <typename Softmax, int kCount>
  FOVEA_DEVICE void weigh(const Softmax& softmax, float (&x)[kCount]) const {
    widen_keys();
    tile::sync_block();
    if (softmax.row >= rows.count) return;
    const FitRow of = fit_row();
    const double* const at = fit(softmax.row);
    const double level = tile::load_global(at + of.level());
    constexpr int kAtOnce = kCount < 8 ? kCount : 8;
    FOVEA_UNROLL
    for (int from = 0; from < kCount; from += kAtOnce) {
      double factor[kAtOnce];
      FOVEA_UNROLL
      for (int i = 0; i < kAtOnce; ++i) factor[i] = level;
      FOVEA_NO_UNROLL
      for (int32_t a = 0; a < of.dim; ++a) {
        const double centre = tile::load_global(at + of.centre() + a);
        const double tilt = tile::load_global(at + of.tilt() + a);
        FOVEA_UNROLL
        for (int i = 0; i < kAtOnce; ++i) {
          const int32_t column = softmax.column((from + i) / 2) + (from + i) % 2;
          factor[i] -= tilt * (load_double(term(column, a)) - centre);
        }
      }
      FOVEA_UNROLL
      for (int i = 0; i < kAtOnce; ++i) {
        // Not 0 times what is there, which may be NaN.
        if (x[from + i] != 0) x[from + i] = float(double(x[from + i]) * factor[i]);
      }
    }
  }

  // Of the thread's pairs: f, and what t is less than g; then, where a key weighs, their weights in dkey.
  struct Planes {
    double f[Tile::kRowsEach][Tile::kKeysEach], rise[Tile::kRowsEach][Tile::kKeysEach];
    double pull[Tile::kRowsEach];
  };
  FOVEA_DEVICE Planes planes() const {
    const FitRow of = fit_row();
    Planes planes = {};
    FOVEA_UNROLL
    for (int r = 0; r < Tile::kRowsEach; ++r) {
      if (row_of(r) >= rows.count) continue;
      const double* const at = fit(row_of(r));
      FOVEA_UNROLL
      for (int c = 0; c < Tile::kKeysEach; ++c) {
        planes.f[r][c] = tile::load_global(at + of.level());
        planes.rise[r][c] = tile::load_global(at + of.height());
      }
      planes.pull[r] = tile::load_global(at + of.pull());
      FOVEA_NO_UNROLL
      for (int32_t a = 0; a < of.dim; ++a) {
        const double centre = tile::load_global(at + of.centre() + a);
        const double tilt = tile::load_global(at + of.tilt() + a);
        const double slope = tile::load_global(at + of.slope() + a);
        FOVEA_UNROLL
        for (int c = 0; c < Tile::kKeysEach; ++c) {
          const double z = load_double(term(key_of(c), a)) - centre;
          planes.f[r][c] -= tilt * z;
          planes.rise[r][c] += slope * z;
        }
      }
    }
    return planes;
  }

  FOVEA_DEVICE void refit(Planes& planes, int r, int c, float weight, float factor, float dp,
                          float& kept, float& ds) const {
    if (weight == 0) {
      ds = 0;
      return;
    }
    const double w = double(weight), f = planes.f[r][c];
    const double t = (factor == 0 ? 0.0 : double(factor * dp)) - planes.rise[r][c];
    planes.f[r][c] = w * f;
    planes.rise[r][c] = w * t;
    kept = float(w * f) * factor;
    ds = float(w * (f * t + planes.pull[r]));
  }

  // What slopes and tilts of a row are multiplied by in dkey, in that order.
  FOVEA_DEVICE uint32_t plane_weight(int which, int32_t row, int32_t at) const {
    return terms_ + FitTerms::kBytes + FitTerms::kPanelBytes * which +
           4 * (row * Tile::kScorePitch + at);
  }
  FOVEA_DEVICE void put_planes(const Planes& planes, int r, int c, float weight) const {
    const int32_t row = row_of(r), at = key_of(c);
    store_float(plane_weight(0, row, at), weight == 0 ? 0.0f : float(planes.f[r][c]));
    store_float(plane_weight(1, row, at), weight == 0 ? 0.0f : float(planes.rise[r][c]));
  }

 private:
  const uint32_t terms_;
};

}  // namespace fovea::distance::cuda
