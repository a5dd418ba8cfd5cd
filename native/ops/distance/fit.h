// The plane of a local linear fit (fovea.h), from the moments of a row's keys: one text for the CPU and for
// CUDA kernels. All of it is float64. Normal equations square the condition of what they solve, and where
// keys lie in a plane, or nearly, float32 would answer with its own roundings; so would c_i, which is large
// there, times differences that are rounded. With float64 a plane errs as its weights do, and no more.
#pragma once

#include <cmath>

#include "core/everywhere.h"
#include "fovea.h"

namespace fovea::distance {

// What a ridge of 0 counts as: enough for any keys to determine a plane, and for float64 to find it.
constexpr double kLeastRidge = 0x1p-32;

// Differences z = k - centre are taken from the nearest key, the centre of the row's plane: they are small
// where weights are not, however far the query is, and exact in what all keys have in common. They are in
// the units of keys, and so are the ridge, times the square of the bandwidth h, and
//
//   f = level - <tilt, z>;  t = g - height - <slope, z>
//
// where tilt is c / h of fovea.h, slope is e / h, and pull is ridge <c, e>. A row's, one after the other.
struct FitRow {
  int dim;
  FOVEA_EVERYWHERE int centre() const { return 0; }
  FOVEA_EVERYWHERE int tilt() const { return dim; }
  FOVEA_EVERYWHERE int slope() const { return 2 * dim; }
  FOVEA_EVERYWHERE int level() const { return 3 * dim; }
  FOVEA_EVERYWHERE int height() const { return 3 * dim + 1; }
  FOVEA_EVERYWHERE int pull() const { return 3 * dim + 2; }
  FOVEA_EVERYWHERE int doubles() const { return 3 * dim + 3; }
};

// A spec's ridge in the squares of a head's units; finite where the bandwidth is infinite.
FOVEA_EVERYWHERE inline double ridge_of(float ridge, double inverse_square) {
  constexpr double kMost = 0x1p300;
  const double square = 1 / inverse_square;
  return (ridge == 0 ? kLeastRidge : double(ridge)) * (square > kMost ? kMost : square);
}

FOVEA_EVERYWHERE inline float within_float(double x) {
  constexpr double kMost = 3.40282346638528859812e38;
  return float(x > kMost ? kMost : x < -kMost ? -kMost : x);
}

// Element (row, column <= row) of a lower triangle.
FOVEA_EVERYWHERE constexpr int triangle(int row, int column) {
  return row * (row + 1) / 2 + column;
}

// Moments are sums over keys of w times products of two of 1, z_1 ... z_dim and, backward, g: a lower
// triangle of them.
FOVEA_EVERYWHERE constexpr int moments_of(int dim, bool backward) {
  return triangle(dim + (backward ? 2 : 1), 0);
}

// Doubles that solve_fit works in.
FOVEA_EVERYWHERE constexpr int fit_doubles(int dim) { return triangle(dim, 0) + 2 * dim; }

// Solves (C + ridge I) x = b in place, from the Cholesky factor of that which `memory` has.
template <typename Memory>
FOVEA_EVERYWHERE void solve_factored(Memory& memory, int dim, int at) {
  for (int i = 0; i < dim; ++i) {
    double x = memory.load(at + i);
    for (int k = 0; k < i; ++k) x -= memory.load(triangle(i, k)) * memory.load(at + k);
    memory.store(at + i, x / memory.load(triangle(i, i)));
  }
  for (int i = dim - 1; i >= 0; --i) {
    double x = memory.load(at + i);
    for (int k = i + 1; k < dim; ++k) x -= memory.load(triangle(k, i)) * memory.load(at + k);
    memory.store(at + i, x / memory.load(triangle(i, i)));
  }
}

// `memory` has load(i) and store(i, x) of fit_doubles(dim) doubles; moment(i, j) answers, offset(a) is an
// element of centre - query, and put(i, x) takes element i of a FitRow, all but the centre.
template <typename Memory, typename Moment, typename Offset, typename Put>
FOVEA_EVERYWHERE void solve_fit(Memory memory, int dim, double ridge, bool backward, Moment moment,
                                Offset offset, Put put) {
  const FitRow row{dim};
  const double share = 1 / moment(0, 0);
  const int tilt = triangle(dim, 0), slope = tilt + dim;
  const auto mean = [&](int a) { return moment(a + 1, 0) * share; };
  for (int i = 0; i < dim; ++i) {
    for (int j = 0; j <= i; ++j) {
      double x = moment(i + 1, j + 1) * share - mean(i) * mean(j) + (i == j ? ridge : 0);
      for (int k = 0; k < j; ++k) x -= memory.load(triangle(i, k)) * memory.load(triangle(j, k));
      // What is left of a column beside those before it is no less than its ridge, but for roundings.
      memory.store(triangle(i, j),
                   i == j ? std::sqrt(x < ridge ? ridge : x) : x / memory.load(triangle(j, j)));
    }
  }
  const auto put_vector = [&](int at, int to) {
    solve_factored(memory, dim, at);
    double along = 0;
    for (int a = 0; a < dim; ++a) {
      const double x = memory.load(at + a);
      put(to + a, x);
      along += x * mean(a);
    }
    return along;
  };
  for (int a = 0; a < dim; ++a) memory.store(tilt + a, offset(a) + mean(a));
  put(row.level(), 1 + put_vector(tilt, row.tilt()));
  if (!backward) return;
  const double height = moment(dim + 1, 0) * share;
  for (int a = 0; a < dim; ++a) {
    memory.store(slope + a, moment(dim + 1, a + 1) * share - height * mean(a));
  }
  put(row.height(), height - put_vector(slope, row.slope()));
  double pull = 0;
  for (int a = 0; a < dim; ++a) pull += memory.load(tilt + a) * memory.load(slope + a);
  put(row.pull(), ridge * pull);
}

}  // namespace fovea::distance
