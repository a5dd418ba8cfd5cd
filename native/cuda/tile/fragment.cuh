// A thread's share of a matrix, as the tensor cores hold sums: pieces of 16 rows by 8 columns, element e of
// piece (i, j) in row 16 i + 8 (e / 2) + lane / 4 and column 8 j + 2 (lane % 4) + e % 2. A thread has two rows
// of a piece, h = 0 and 1, and in them two neighbouring columns; four threads share a row.
#pragma once

#include "tile/math.cuh"
#include "tile/warp.cuh"

namespace fovea::tile {

template <int kM, int kColumns>
using Fragment = float[kM][kColumns][4];

FOVEA_DEVICE int32_t fragment_column(int j, int e) {
  return 8 * j + int32_t(thread_index() % 4 * 2) + e % 2;
}

// body(i, h) for the rows of a thread.
template <int kM, typename Body>
FOVEA_DEVICE void each_row(Body body) {
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) body(i, h);
  }
}

// body(x, j, e) for the elements of a row.
template <int kM, int kColumns, typename Body>
FOVEA_DEVICE void each_of_row(Fragment<kM, kColumns>& f, int i, int h, Body body) {
  FOVEA_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    FOVEA_UNROLL
    for (int e = 2 * h; e < 2 * h + 2; ++e) body(f[i][j][e], j, e);
  }
}

// body(x, i, h) for the elements of column e of pieces j.
template <int kM, int kColumns, typename Body>
FOVEA_DEVICE void each_of_column(Fragment<kM, kColumns>& f, int j, int e, Body body) {
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int h = 0; h < 2; ++h) body(f[i][j][2 * h + e], i, h);
  }
}

// body(i, j, e) for all elements.
template <int kM, int kColumns, typename Body>
FOVEA_DEVICE void each_element(Body body) {
  FOVEA_UNROLL
  for (int i = 0; i < kM; ++i) {
    FOVEA_UNROLL
    for (int j = 0; j < kColumns; ++j) {
      FOVEA_UNROLL
      for (int e = 0; e < 4; ++e) body(i, j, e);
    }
  }
}

// x = change(x) for all elements.
template <int kM, int kColumns, typename Change>
FOVEA_DEVICE void change(Fragment<kM, kColumns>& f, Change change) {
  each_element<kM, kColumns>([&](int i, int j, int e) { f[i][j][e] = change(f[i][j][e]); });
}

// x = change(x, column) for the elements of a row.
template <int kM, int kColumns, typename Change>
FOVEA_DEVICE void change_row(Fragment<kM, kColumns>& f, int i, int h, Change change) {
  each_of_row(f, i, h, [&](float& x, int j, int e) { x = change(x, fragment_column(j, e)); });
}

template <int kM, int kColumns>
FOVEA_DEVICE void scale(Fragment<kM, kColumns>& f, float factor) {
  change(f, [&](float x) { return x * factor; });
}

template <int kM, int kColumns>
FOVEA_DEVICE void scale_row(Fragment<kM, kColumns>& f, int i, int h, float factor) {
  change_row(f, i, h, [&](float x, int32_t) { return x * factor; });
}

// The largest element of a whole row, alike in its four threads.
template <int kM, int kColumns>
FOVEA_DEVICE float row_max(const Fragment<kM, kColumns>& f, int i, int h FOVEA_AND_WHERE) {
  float most = maximum(f[i][0][2 * h], f[i][0][2 * h + 1]);
  FOVEA_UNROLL
  for (int j = 1; j < kColumns; ++j) {
    most = maximum(most, maximum(f[i][j][2 * h], f[i][j][2 * h + 1]));
  }
  return quad_max(most FOVEA_PASS_WHERE);
}

template <int kM, int kColumns>
FOVEA_DEVICE void add(Fragment<kM, kColumns>& sums, const Fragment<kM, kColumns>& f) {
  each_element<kM, kColumns>([&](int i, int j, int e) { sums[i][j][e] += f[i][j][e]; });
}

// Whether any element of the warp's is no number.
template <int kM, int kColumns>
FOVEA_DEVICE bool any_nan(const Fragment<kM, kColumns>& f FOVEA_AND_WHERE) {
  bool found = false;
  each_element<kM, kColumns>([&](int i, int j, int e) { found |= f[i][j][e] != f[i][j][e]; });
  return any(found FOVEA_PASS_WHERE);
}

}  // namespace fovea::tile
