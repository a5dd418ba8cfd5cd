// The state of a key head, or its gradient: rows of columns, the columns in the SIMD lanes, in panels of a
// few vectors so that a panel stays in L1 while the tokens of a chunk pass over it.
//
// A token decays it, adds products of a column x and a row y, and reads sums w^T S:
//
//   S = a S + x y^T;  o = w^T S
//
// in one pass over its rows. Two tokens at a time load and store an element once for two multiplications and
// four fused multiply-adds: with one, stores are the limit. Sums over rows have two halves, of even and of
// odd rows, however many tokens and columns go together, so that bits do not depend on these.
#pragma once

#include "cpu/linear/layout.h"
#include "cpu/pack.h"
#include "cpu/product.h"

namespace fovea::linear::cpu::FOVEA_TIER {

using namespace fovea::cpu::FOVEA_TIER;

enum class Decay { kNone, kRows, kColumns };

// A token, and a panel of the state.
struct Pass {
  int64_t rows;
  float* state;
  const float* decay;  // of kRows: one for each row, or with a step of 0 one for all
  int64_t decay_step;
  const float *x, *y;  // an element for each row, a vector for each vector of columns
  const float* w;      // an element for each row
  float* out;
};

// All of p have the same panel.
template <int kTokens, int kVectors, Decay kDecay, bool kUpdate, bool kRead>
[[gnu::noinline]] void pass(const Pass* p) {
  constexpr int kRow = kVectors * kLanes;
  vfloat y[kTokens][kVectors], sum[2][kTokens][kVectors] = {};
#pragma GCC unroll 2
  for (int t = 0; t < kTokens; ++t) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      if constexpr (kUpdate) y[t][v] = load(p[t].y + v * kLanes);
    }
  }
  float* const state = p[0].state;
  const auto row = [&](int64_t r, vfloat(&half)[kTokens][kVectors]) {
    float* const s = state + r * kRow;
    [[maybe_unused]] vfloat a[kTokens], x[kTokens], w[kTokens];
#pragma GCC unroll 2
    for (int t = 0; t < kTokens; ++t) {
      if constexpr (kDecay == Decay::kRows) a[t] = broadcast(p[t].decay + r * p[t].decay_step);
      if constexpr (kUpdate) x[t] = broadcast(p[t].x + r);
      if constexpr (kRead) w[t] = broadcast(p[t].w + r);
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      vfloat element = load(s + v * kLanes);
#pragma GCC unroll 2
      for (int t = 0; t < kTokens; ++t) {
        if constexpr (kDecay == Decay::kRows) element *= a[t];
        if constexpr (kDecay == Decay::kColumns) element *= load(p[t].decay + v * kLanes);
        if constexpr (kUpdate) element = fma(x[t], y[t][v], element);
        if constexpr (kRead) half[t][v] = fma(w[t], element, half[t][v]);
      }
      if constexpr (kUpdate || kDecay != Decay::kNone) store(s + v * kLanes, element);
    }
  };
  int64_t r = 0;
  for (; r + 2 <= p[0].rows; r += 2) {
    row(r, sum[0]);
    row(r + 1, sum[1]);
  }
  if (r < p[0].rows) row(r, sum[0]);
  if constexpr (kRead) {
    for (int t = 0; t < kTokens; ++t) {
      for (int v = 0; v < kVectors; ++v) store(p[t].out + v * kLanes, sum[0][t][v] + sum[1][t][v]);
    }
  }
}

// Vectors of a panel at most: with two sums of each there are registers for so many, and L1 holds so
// many rows.
inline int most_vectors(int64_t rows) {
#if defined(__AVX512F__)
  constexpr int kMost = 4;
#else
  constexpr int kMost = 2;
#endif
  constexpr int64_t kBytes = 24 << 10;
  int vectors = kMost;
  while (vectors > 1 && rows * vectors * kLanes * int64_t{sizeof(float)} > kBytes) vectors /= 2;
  return vectors;
}

template <int kTokens, Decay kDecay, bool kUpdate, bool kRead>
inline void pass(int vectors, const Pass* p) {
  if constexpr (kLanes == 16) {
    if (vectors == 4) return pass<kTokens, 4, kDecay, kUpdate, kRead>(p);
  }
  if (vectors == 2) return pass<kTokens, 2, kDecay, kUpdate, kRead>(p);
  return pass<kTokens, 1, kDecay, kUpdate, kRead>(p);
}

template <int kTokens, bool kUpdate, bool kRead>
inline void pass(int vectors, Decay decay, const Pass* p) {
  switch (decay) {
    case Decay::kRows:
      return pass<kTokens, Decay::kRows, kUpdate, kRead>(vectors, p);
    case Decay::kColumns:
      return pass<kTokens, Decay::kColumns, kUpdate, kRead>(vectors, p);
    default:
      if constexpr (kUpdate || kRead) {
        return pass<kTokens, Decay::kNone, kUpdate, kRead>(vectors, p);
      }
  }
}

template <bool kUpdate, bool kRead>
inline void pass(int vectors, Decay decay, const Pass& p) {
  pass<1, kUpdate, kRead>(vectors, decay, &p);
}

// A panel: columns [begin, end) of a state, whole vectors, the last filled up.
struct Columns {
  float* at;
  int64_t begin;
  int vectors;
};

// All columns of an item.
class State {
 public:
  State(float* at, int64_t rows, int64_t columns)
      : at_(at), rows_(rows), columns_(columns), vectors_((columns + kLanes - 1) / kLanes) {}

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  void clear() const { std::fill_n(at_, rows_ * vectors_ * kLanes, 0.0f); }

  // Calls body(columns) for each panel.
  template <typename Body>
  void for_each_panel(Body body) const {
    const int most = most_vectors(rows_);
    for (int64_t v = 0; v < vectors_;) {
      int vectors = most;
      while (vectors > vectors_ - v) vectors /= 2;
      body(Columns{at_ + v * kLanes * rows_, v * kLanes, vectors});
      v += vectors;
    }
  }

  // Rows of columns from `from` on, or, `transposed`, columns of rows; `columns` of each row are there.
  void load_rows(const float* from, int64_t stride, int64_t rows) const {
    for_each_part([&](const Columns& part, int64_t width, int64_t row) {
      for (int64_t r = 0; r < rows; ++r) {
        load_row(from + r * stride + part.begin, width, 1.0f, part.at + r * row);
      }
    });
  }
  void load_transposed(const float* from, int64_t stride, int64_t rows) const {
    for_each_part([&](const Columns& part, int64_t width, int64_t row) {
      pack_columns(from + part.begin * stride, stride, int(width), rows, part.at, row);
    });
  }
  void store_rows(float* to, int64_t stride, int64_t rows, bool add) const {
    for_each_part([&](const Columns& part, int64_t width, int64_t row) {
      for (int64_t r = 0; r < rows; ++r) {
        store_row(part.at + r * row, width, 1.0f, add, to + r * stride + part.begin);
      }
    });
  }
  // One row from or to `columns` elements.
  void load_row_at(int64_t r, const float* from) const {
    for_each_part([&](const Columns& part, int64_t width, int64_t row) {
      load_row(from + part.begin, width, 1.0f, part.at + r * row);
    });
  }
  void store_row_at(int64_t r, float* to, bool add) const {
    for_each_part([&](const Columns& part, int64_t width, int64_t row) {
      store_row(part.at + r * row, width, 1.0f, add, to + part.begin);
    });
  }

 private:
  // With the columns of a panel that are there, and its row.
  template <typename Body>
  void for_each_part(Body body) const {
    for_each_panel([&](const Columns& part) {
      const int64_t row = int64_t{part.vectors} * kLanes;
      body(part, std::min(row, columns_ - part.begin), row);
    });
  }

  float* const at_;
  const int64_t rows_, columns_, vectors_;
};

}  // namespace fovea::linear::cpu::FOVEA_TIER
